"""Hold profiles/ and terminology/ to one shape: facts only, members in FHIR's order, two-space indent.

A member that the tables below do not name (narrative, prose definitions, mappings …) is refused, not dropped.
Usage: ``python tools/format_definitions.py [--check] [file …]``; exit code 1 when a file is not in shape.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ROOT = Path(__file__).parents[1]
FOLDERS = (ROOT / "profiles", ROOT / "terminology")
VALUES = ("fixed", "pattern", "defaultValue", "value")


class NotAFact(ValueError):
    """A definition holds a member that the tables do not name; the message gives its path."""


def _members(text: str) -> Mapping[str, str | None]:
    pairs = (word.partition(":") for word in text.split())
    return {name: kind or None for name, _, kind in pairs}


_HEAD = "resourceType id url identifier:Identifier version name status "

#: Members of each kind of object in order; ``name:Kind`` says what its content is, a bare name is a plain value.
TABLES: Mapping[str, Mapping[str, str | None]] = {
    "StructureDefinition": _members(
        _HEAD + "kind abstract context:Context contextInvariant type baseDefinition derivation "
        "differential:Differential"
    ),
    "Context": _members("type expression"),
    "Differential": _members("element:ElementDefinition"),
    "ElementDefinition": _members(
        "id path sliceName sliceIsConstraining slicing:Slicing min max contentReference type:TypeRef maxLength "
        "minValue maxValue constraint:Constraint mustSupport isModifier isModifierReason isSummary binding:Binding"
    ),
    "Slicing": _members("discriminator:Discriminator ordered rules"),
    "Discriminator": _members("type path"),
    "TypeRef": _members("code profile targetProfile aggregation versioning"),
    "Constraint": _members("key severity human expression"),
    "Binding": _members("strength valueSet"),
    "SearchParameter": _members(
        _HEAD + "description code base type expression xpathUsage target multipleOr multipleAnd comparator modifier "
        "chain component:Component"
    ),
    "Component": _members("definition expression"),
    "CodeSystem": _members(
        _HEAD + "caseSensitive hierarchyMeaning compositional versionNeeded content supplements property:Property "
        "concept:Concept"
    ),
    "Property": _members("code uri type"),
    "Concept": _members("code display property:ConceptProperty concept:Concept"),
    "ConceptProperty": _members("code"),
    "ValueSet": _members(_HEAD + "compose:Compose"),
    "Compose": _members("inactive include:Include exclude:Include"),
    "Include": _members("system version concept:Concept filter:Filter valueSet"),
    "Filter": _members("property op value"),
    "Identifier": _members("use type system value"),
    "Value": _members(
        "use type coding:Value system version code display value unit text url extension:Value reference"
    ),
}


def in_order(value: Any, kind: str, where: str) -> Any:
    """Return ``value`` with its members in the order of the table ``kind``.

    :raises NotAFact: a member that the table does not name.
    """
    if isinstance(value, list):
        return [in_order(item, kind, f"{where}[{n}]") for n, item in enumerate(value)]
    if not isinstance(value, dict):
        return value
    table = TABLES[kind]
    unknown = [name for name in value if name not in table and not name.startswith(VALUES)]
    if unknown:
        raise NotAFact(f"{where}: {', '.join(unknown)}")
    plain = [name for name in table if name in value]
    typed = sorted(name for name in value if name not in table)
    return {name: _member(value[name], table.get(name), f"{where}.{name}", name in typed) for name in plain + typed}


def _member(value: Any, kind: str | None, where: str, typed: bool) -> Any:
    if kind is None and (typed or isinstance(value, dict)):
        kind = "Value"
    return value if kind is None else in_order(value, kind, where)


def formatted(resource: Mapping[str, Any]) -> str:
    """Return the text of a definition as it is kept in the repository.

    :raises NotAFact: the resource is of another type or holds more than facts.
    """
    kind = resource.get("resourceType")
    if kind not in ("StructureDefinition", "SearchParameter", "CodeSystem", "ValueSet"):
        raise NotAFact(f"resourceType: {kind}")
    return json.dumps(in_order(dict(resource), kind, kind), ensure_ascii=False, indent=2) + "\n"


def definitions(folders: Iterable[Path] = FOLDERS) -> list[Path]:
    """Return every definition file of the repository, sorted."""
    return sorted(path for folder in folders for path in folder.glob("*.json"))


def main(arguments: list[str] | None = None) -> int:
    """Format the files, or with ``--check`` only name those that are not in shape."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--check", action="store_true", help="change nothing, exit 1 when a file is not in shape")
    parser.add_argument("files", nargs="*", type=Path)
    options = parser.parse_args(arguments)
    wrong = 0
    for path in options.files or definitions():
        text = path.read_text(encoding="utf-8")
        try:
            wanted = formatted(json.loads(text))
        except (NotAFact, ValueError) as error:
            print(f"{path}: {error}", file=sys.stderr)
            wrong += 1
            continue
        if wanted == text:
            continue
        if options.check:
            print(f"{path}: not formatted", file=sys.stderr)
            wrong += 1
        else:
            path.write_text(wanted, encoding="utf-8")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
