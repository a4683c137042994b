"""CCAM (French classification of medical acts), from a text table with the names of its columns in the first line.

The Assurance maladie publishes CCAM as spreadsheets and DBF files; save its list of acts as text: UTF-8 or Windows
letters, values parted by `;`, a tab or `,`, with the columns `code` and `libelle`, and if wanted `libelle_court`,
`parent` and `date_fin` (an act with an end is inactive). Other columns are passed over.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from typing import TYPE_CHECKING, Any, Final

from fhirserver.terminology.releases.release import BadRelease, check_header
from fhirserver.terminology.releases.writer import Head

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fhirserver.terminology.releases.release import Member, Release
    from fhirserver.terminology.releases.writer import Writer

SYSTEM: Final = "urn:oid:1.2.250.1.213.2.5"
_FILE: Final = r"[^/]*\.(csv|tsv|txt)"
_VERSION: Final = re.compile(r"v[_ ]?(\d+(?:\.\d+)*)", re.IGNORECASE)


def head(release: Release, version: str | None) -> Head:
    """The version is in the name of the file (`ccam_v75.csv`), or as given. Raises BadRelease."""
    member = release.one(_FILE, "a .csv, .tsv or .txt file")
    names = [path.name for path in release.paths] + [member.name]
    found = version or next((text[1] for name in names if (text := _VERSION.search(name))), None)
    if not found:
        raise BadRelease(f"{release.paths[0]} does not tell its version in its name: give --release, such as 75.")
    return Head(SYSTEM, found, found, "CCAM", "classified-with", {"inactive": "boolean"}, sensitive=False)


def fill(release: Release, writer: Writer) -> None:
    """All acts and chapters of the table."""
    member = release.one(_FILE, "a .csv, .tsv or .txt file")
    lines = _lines(release, member)
    first = next(lines, "")
    separator = max(";\t,", key=first.count)
    header = [_plain(name) for name in next(csv.reader([first], delimiter=separator), [])]
    check_header(member, header, ("code", "libelle"))
    reader = csv.DictReader(lines, header, delimiter=separator, restval="")
    try:
        for row in reader:
            if row["code"].strip():
                _add({name: (row.get(name) or "").strip() for name in header}, writer)
    except csv.Error as error:
        raise BadRelease(f"{member.name}, line {reader.line_num + 1}: {error}.") from None


def _add(row: dict[str, str], writer: Writer) -> None:
    short, long = row.get("libelle_court", ""), row["libelle"]
    concept: dict[str, Any] = {"code": row["code"], "display": long or short or row["code"]}
    if short and short != concept["display"]:
        concept["designation"] = [{"language": "fr", "value": short}]
    if row.get("date_fin"):
        concept["property"] = [{"code": "inactive", "valueBoolean": True}]
    writer.add(concept, [row["parent"]] if row.get("parent") else [])


def _lines(release: Release, member: Member) -> Iterator[str]:
    for raw in release.raw(member):
        try:
            yield raw.decode("utf-8")
        except UnicodeDecodeError:
            yield raw.decode("cp1252", errors="replace")


def _plain(name: str) -> str:
    """`Libellé court` -> `libelle_court`."""
    bare = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return re.sub(r"\W+", "_", bare.strip().lower())
