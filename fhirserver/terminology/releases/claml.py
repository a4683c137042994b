"""A classification in ClaML (EN 14463), read class by class; modifiers are written out as codes."""

from __future__ import annotations

import io
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from lxml import etree

from fhirserver.terminology.releases.release import BadRelease

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fhirserver.terminology.releases.release import Member, Release
    from fhirserver.terminology.releases.writer import Writer

_ELEMENTS: Final = ("Class", "Modifier", "ModifierClass")
_TABLES: Final = """
create temp table class (code text primary key, kind text, display text, leaf integer);
create temp table above (code text, parent text);
create temp table modified (code text, modifier text, valid text);
create temp table unmodified (code text, modifier text);
create temp table ending (modifier text, code text, display text);
create index temp.above_code on above (code);
create index temp.modified_code on modified (code);
"""


class Modified(NamedTuple):
    """A modifier of a class; `valid`: its endings that count, all when there are none."""

    modifier: str
    valid: frozenset[str]


class _Lines(io.RawIOBase):
    """Lines as a file."""

    def __init__(self, lines: Iterator[bytes]) -> None:
        self._lines = lines
        self._rest = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        while not self._rest:
            line = next(self._lines, None)
            if line is None:
                return b""
            self._rest = line
        taken, self._rest = (self._rest, b"") if size < 0 else (self._rest[:size], self._rest[size:])
        return taken


def fill(release: Release, member: Member, writer: Writer) -> None:
    """All classes, and the codes that modifiers make of those without any below. Raises BadRelease."""
    writer.stage.execute("commit")
    writer.stage.executescript(_TABLES)
    writer.stage.execute("begin")
    with _told(member):
        # entities and networks stay shut: a release is somebody else's file
        walk = etree.iterparse(
            _Lines(release.raw(member)), tag=_ELEMENTS, resolve_entities=False, no_network=True, load_dtd=False
        )
        for _, element in walk:
            _stage(element, writer)
            element.clear()
            while element.getprevious() is not None:
                del element.getparent()[0]
    classes = writer.stage.cursor().execute("select code, kind, display, leaf from class order by rowid")
    for code, kind, display, leaf in classes:
        writer.add(_concept(code, display, kind), _parents(writer, code))
        if leaf:
            _write_modified(writer, code, display)


@contextmanager
def _told(member: Member) -> Iterator[None]:
    try:
        yield
    except etree.XMLSyntaxError as error:
        raise BadRelease(f"{member.name} is not XML: {error}.") from None


def _stage(element: Any, writer: Writer) -> None:
    code, stage = element.get("code"), writer.stage
    if not code or element.tag == "Modifier":
        return
    display = _preferred(element)
    if element.tag == "ModifierClass":
        stage.execute("insert into ending values (?, ?, ?)", (element.get("modifier"), code, display))
        return
    leaf = element.find("SubClass") is None
    stage.execute("insert or ignore into class values (?, ?, ?, ?)", (code, element.get("kind"), display, leaf))
    for each in element.findall("SuperClass"):
        stage.execute("insert into above values (?, ?)", (code, each.get("code")))
    for each in element.findall("ModifiedBy"):
        valid = " ".join(sub.get("code", "") for sub in each.findall("ValidModifierClass"))
        stage.execute("insert into modified values (?, ?, ?)", (code, each.get("code"), valid))
    for each in element.findall("ExcludeModifier"):
        stage.execute("insert into unmodified values (?, ?)", (code, each.get("code")))


def _preferred(element: Any) -> str:
    """The preferred label, without the references in it."""
    for kind in ("preferredLong", "preferred"):
        for rubric in element.findall("Rubric"):
            label = rubric.find("Label")
            if rubric.get("kind") == kind and label is not None:
                for reference in label.iter("Reference"):
                    reference.text = None
                return re.sub(r"\s+", " ", "".join(label.itertext())).strip()
    return ""


def _concept(code: str, display: str, kind: str | None) -> dict[str, Any]:
    concept: dict[str, Any] = {"code": code, "display": display or code}
    if kind:
        concept["property"] = [{"code": "kind", "valueCode": kind}]
    return concept


def _parents(writer: Writer, code: str) -> list[str]:
    return [row[0] for row in writer.stage.execute("select parent from above where code = ?", (code,))]


def _modifiers(writer: Writer, code: str) -> list[Modified]:
    """The modifiers of a class: its own, and those of the classes above that none on the way excludes."""
    found: dict[str, Modified] = {}
    excluded: set[str] = set()
    waiting, seen = [code], set()
    while waiting:
        here = waiting.pop(0)
        if here in seen:
            continue
        seen.add(here)
        excluded |= {row[0] for row in writer.stage.execute("select modifier from unmodified where code = ?", (here,))}
        for modifier, valid in writer.stage.execute("select modifier, valid from modified where code = ?", (here,)):
            if modifier not in excluded:
                found.setdefault(modifier, Modified(modifier, frozenset(valid.split())))
        waiting += _parents(writer, here)
    return list(found.values())


def _write_modified(writer: Writer, code: str, display: str) -> None:
    """Endings with a dot make codes of four characters, the others those after them."""
    modifiers = [(each, _endings(writer, each)) for each in _modifiers(writer, code)]
    bases = [(code, display)]
    for dot in (True, False):
        made = []
        for base, name in bases:
            for _, endings in modifiers:
                for ending, meaning in endings:
                    if ending.startswith(".") is dot:
                        made.append((_joined(base, ending), f"{name}, {meaning}" if meaning else name, base))
        for below, name, base in made:
            writer.add(_concept(below, name, "modified"), [base])
        bases = [(below, name) for below, name, _ in made] or bases


def _joined(base: str, ending: str) -> str:
    if ending.startswith("."):
        return base + (ending[1:] if "." in base else ending)
    return base + (ending if "." in base else f".{ending}")


def _endings(writer: Writer, modified: Modified) -> list[tuple[str, str]]:
    rows = writer.stage.execute(
        "select code, display from ending where modifier = ? order by rowid", (modified.modifier,)
    )
    return [(code, display) for code, display in rows if not modified.valid or code in modified.valid]
