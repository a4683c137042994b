"""CIM-10 (the French ICD-10), as ATIH publishes it: the ClaML file, or the list with bars (`LIBCIM10MULTI.TXT`).

The ClaML file has chapters, blocks and categories, and modifiers that make further codes (`E11` with `.0` is `E11.0`);
these are written out. The list has six columns: code without its dot, three kinds for MCO/HAD, SSR and PSY, the short
and the long name; there a code lies below the longest other that it begins with.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from fhirserver.terminology.releases import claml
from fhirserver.terminology.releases.release import BadRelease
from fhirserver.terminology.releases.writer import Head

if TYPE_CHECKING:
    from fhirserver.terminology.releases.release import Member, Release
    from fhirserver.terminology.releases.writer import Writer

SYSTEM: Final = "http://hl7.org/fhir/sid/icd-10"

_LIST: Final = r"LIBCIM10\w*\.TXT"
_CODE: Final = re.compile(r"[A-Z][0-9]{2}[0-9A-Z+\-]*")
_KINDS: Final = ("typeMcoHad", "typeSsr", "typePsy")
_COLUMNS: Final = 6


def head(release: Release, version: str | None) -> Head:
    """The version is a year in the name of the files, or in the title of the ClaML file. Raises BadRelease."""
    _, files = _layout(release)
    names = [path.name for path in release.paths] + [each.name for each in files]
    found = version or next((year[0] for name in names if (year := re.search(r"(?:19|20)\d\d", name))), None)
    if not found:
        raise BadRelease(f"{release.paths[0]} does not tell its year in its name: give --release, such as 2026.")
    properties = dict.fromkeys(_KINDS, "string") | {"kind": "code"}
    return Head(SYSTEM, found, found, "CIM-10", "classified-with", properties, sensitive=False)


def _layout(release: Release) -> tuple[str, list[Member]]:
    for layout, pattern in (("claml", r"[^/]*\.(xml|claml)"), ("list", _LIST), ("list", r"[^/]*\.txt")):
        found = release.named(pattern)
        if found:
            return layout, found
    raise BadRelease(f"{release.paths[0]} is not a release of CIM-10: a ClaML .xml or LIBCIM10MULTI.TXT is wanted.")


def fill(release: Release, writer: Writer) -> None:
    """All codes with their French names and what lies above them."""
    layout, files = _layout(release)
    if len(files) > 1:
        raise BadRelease(f"{release.paths[0]} has several such files: {', '.join(each.name for each in files)}.")
    if layout == "claml":
        claml.fill(release, files[0], writer)
    else:
        _fill_list(release, files[0], writer)


def _fill_list(release: Release, member: Member, writer: Writer) -> None:
    writer.stage.execute("create temp table bare (bare text primary key, code text)")
    for number, raw in enumerate(release.raw(member), 1):
        line = _text(raw).strip("\r\n")
        if not line.strip():
            continue
        values = [value.strip() for value in line.split("|")]
        if len(values) != _COLUMNS or not _CODE.fullmatch(values[0]):
            raise BadRelease(f"{member.name}, line {number}: a code and five values with bars between them are wanted.")
        bare, code = values[0], dotted(values[0])
        concept: dict[str, Any] = {"code": code, "display": values[5] or values[4] or code}
        concept["property"] = [
            {"code": name, "valueString": value} for name, value in zip(_KINDS, values[1:4], strict=True) if value
        ]
        if values[4] and values[4] != concept["display"]:
            concept["designation"] = [{"language": "fr", "value": values[4]}]
        writer.add(concept)
        writer.stage.execute("insert or ignore into bare values (?, ?)", (bare, code))
    _link(writer)


def _link(writer: Writer) -> None:
    writer.stage.execute(
        "insert into link select here.code, (select above.code from temp.bare as above where above.bare in ("
        "substr(here.bare, 1, 3), substr(here.bare, 1, 4), substr(here.bare, 1, 5), substr(here.bare, 1, 6)) "
        "and length(above.bare) < length(here.bare) order by length(above.bare) desc limit 1) as parent "
        "from temp.bare as here where parent is not null"
    )


def dotted(code: str) -> str:
    """`A000` -> `A00.0`; `A00` stays."""
    return f"{code[:3]}.{code[3:]}" if len(code) > 3 else code


def _text(raw: bytes) -> str:
    """A line in UTF-8, or in the Windows letters of older lists."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("cp1252", errors="replace")
