"""What two versions of a definition must have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PLAIN: Final = ("path", "sliceName", "min", "max", "mustSupport", "isModifier", "contentReference", "maxLength")
HEAD: Final = ("url", "version", "name", "status", "kind", "abstract", "type", "baseDefinition", "derivation")


def facts(element: Mapping[str, Any]) -> dict[str, Any]:
    """The part of an ElementDefinition that a machine judges by."""
    kept = {name: element[name] for name in PLAIN if name in element}
    kept |= {name: value for name, value in element.items() if name.startswith(("fixed", "pattern", "minV", "maxV"))}
    if "type" in element:
        kept["type"] = [_some(of, ("code", "profile", "targetProfile", "aggregation")) for of in element["type"]]
    if "binding" in element:
        kept["binding"] = _some(element["binding"], ("strength", "valueSet"))
    if "slicing" in element:
        kept["slicing"] = _some(element["slicing"], ("discriminator", "ordered", "rules"))
    if "constraint" in element:
        kept["constraint"] = [_some(rule, ("key", "severity", "expression")) for rule in element["constraint"]]
    return kept


def _some(value: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: value[name] for name in names if name in value}


def differences(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> Iterator[str]:
    """Where two StructureDefinitions differ: `element: ours != theirs`."""
    for name in HEAD:
        if ours.get(name) != theirs.get(name):
            yield f"{name}: {ours.get(name)} != {theirs.get(name)}"
    if ours.get("context") != theirs.get("context"):
        yield f"context: {ours.get('context')} != {theirs.get('context')}"
    own = {element["id"]: facts(element) for element in ours["differential"]["element"]}
    published = {element["id"]: facts(element) for element in theirs["differential"]["element"]}
    for missing in published.keys() - own.keys():
        yield f"{missing}: missing"
    for surplus in own.keys() - published.keys():
        yield f"{surplus}: not published"
    for identity in published.keys() & own.keys():
        if own[identity] != published[identity]:
            yield f"{identity}: {own[identity]} != {published[identity]}"
    if [*own] != [*published] and own.keys() == published.keys():
        yield "the order of the elements"


def concepts(system: Mapping[str, Any]) -> dict[str, tuple[str | None, str | None]]:
    """Codes of a CodeSystem with their display and parent."""
    return dict(_walk(system.get("concept", ()), None))


def _walk(listed: Any, parent: str | None) -> Iterator[tuple[str, tuple[str | None, str | None]]]:
    for concept in listed:
        yield concept["code"], (concept.get("display"), parent)
        yield from _walk(concept.get("concept", ()), concept["code"])


def composition(value_set: Mapping[str, Any], bare: tuple[str, ...]) -> list[Any]:
    """What a ValueSet includes and excludes, without the displays of the systems in `bare`."""
    listed = []
    for part in ("include", "exclude"):
        for item in value_set["compose"].get(part, ()):
            shown = item.get("system") not in bare
            codes = [(each["code"], each.get("display") if shown else None) for each in item.get("concept", ())]
            filters = [(each["property"], each["op"], each["value"]) for each in item.get("filter", ())]
            listed.append((part, item.get("system"), item.get("version"), codes, filters, item.get("valueSet")))
    return listed
