"""$expand: a value set's definition -> its codes (https://hl7.org/fhir/R4/valueset-operation-expand.html)."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final

from fhirserver.terminology.errors import TooCostly
from fhirserver.terminology.wording import Search, shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from fhirserver.terminology.valuesets import Definition, Member, Membership

MOST: Final = 20_000
"""Codes in one answer."""

_NAMES: Final = {
    "filter": ("filter", "String"),
    "offset": ("offset", "Integer"),
    "count": ("count", "Integer"),
    "active_only": ("activeOnly", "Boolean"),
    "exclude_nested": ("excludeNested", "Boolean"),
    "exclude_abstract": ("excludeNotForUI", "Boolean"),
    "include_designations": ("includeDesignations", "Boolean"),
    "display_language": ("displayLanguage", "Code"),
}
_DEFINITION: Final = frozenset({"compose", "expansion", "text", "contained", "meta"})


@dataclass(frozen=True)
class Wish:
    """How an expansion is wanted; `designations` are languages, or `system|code` uses, that designations must have."""

    filter: str | None = None
    offset: int = 0
    count: int | None = None
    active_only: bool = False
    exclude_nested: bool = True
    exclude_abstract: bool = False
    include_designations: bool = False
    designations: tuple[str, ...] = ()
    include_definition: bool = False
    exclude_systems: tuple[str, ...] = ()
    display_language: str | None = None

    @property
    def paged(self) -> bool:
        return self.offset > 0 or self.count is not None


def expand(membership: Membership, definition: Definition, wish: Wish, now: datetime) -> dict[str, Any]:
    """The ValueSet with its expansion. Raises NotHere or TooCostly."""
    search = Search(wish.filter) if wish.filter else None
    chosen = [each for each in membership.members(definition, search).values() if _wanted(each, wish)]
    if search:
        chosen = [each for each in chosen if search.finds(each.code, _texts(each))]
    page = chosen[wish.offset :] if wish.count is None else chosen[wish.offset : wish.offset + wish.count]
    if len(page) > MOST:
        raise TooCostly(
            f"{definition.canonical} has {len(chosen)} codes, more than the {MOST} of one answer: "
            "ask for pages (count, offset) or filter."
        )
    nested = not (wish.exclude_nested or wish.paged)
    expansion: dict[str, Any] = {
        "identifier": _identifier(definition, wish, chosen),
        "timestamp": now.isoformat(timespec="milliseconds"),
        "total": len(chosen),
    }
    if wish.paged:
        expansion["offset"] = wish.offset
    expansion["parameter"] = [*_asked(wish), *_used(membership)]
    if not expansion["parameter"]:
        del expansion["parameter"]
    if page:
        expansion["contains"] = _nested(page, membership, wish) if nested else [_item(each, wish) for each in page]
    kept = {
        name: value
        for name, value in definition.resource.items()
        if name not in _DEFINITION or (name == "compose" and wish.include_definition)
    }
    return {"resourceType": "ValueSet", "status": "active", **kept, "expansion": expansion}


def _wanted(member: Member, wish: Wish) -> bool:
    if (wish.active_only and member.inactive) or (wish.exclude_abstract and member.abstract):
        return False
    return not any(each.partition("|")[0] == member.system for each in wish.exclude_systems)


def _texts(member: Member) -> Iterable[str]:
    yield member.display or ""
    for item in member.designations:
        yield str(item.get("value", ""))


def _item(member: Member, wish: Wish) -> dict[str, Any]:
    item: dict[str, Any] = {"system": member.system} if member.system else {}
    if member.abstract:
        item["abstract"] = True
    if member.inactive:
        item["inactive"] = True
    if member.version:
        item["version"] = member.version
    item["code"] = member.code
    designations = member.designations
    display = shown(member.display, designations, wish.display_language)
    if display:
        item["display"] = display
    if wish.include_designations or wish.designations:
        listed = [dict(each) for each in designations if _named(each, wish.designations)]
        if listed:
            item["designation"] = listed
    return item


def _named(designation: Mapping[str, Any], wanted: tuple[str, ...]) -> bool:
    use = designation.get("use", {})
    own = (str(designation.get("language")), f"{use.get('system', '')}|{use.get('code', '')}")
    return not wanted or any(each.removeprefix("urn:ietf:bcp:47|") in own for each in wanted)


def _nested(members: Iterable[Member], membership: Membership, wish: Wish) -> list[dict[str, Any]]:
    """The codes below one another as in their code system, as far as those above are there too."""
    listed = list(members)
    items = {(each.system, each.code): _item(each, wish) for each in listed}
    top: list[dict[str, Any]] = []
    for each in listed:
        concepts = membership.concepts(each.system, each.version)
        above = concepts.hierarchy.parents.get(each.code, ()) if concepts else ()
        parent = next((items[each.system, code] for code in above if (each.system, code) in items), None)
        item = items[each.system, each.code]
        if parent is None or _within(parent, item):
            top.append(item)
        else:
            parent.setdefault("contains", []).append(item)
    return top


def _within(item: dict[str, Any], holder: dict[str, Any]) -> bool:
    """Whether an item lies in another already: a circle in the code system."""
    waiting = [holder]
    while waiting:
        here = waiting.pop()
        if here is item:
            return True
        waiting += here.get("contains", ())
    return False


def _asked(wish: Wish) -> list[dict[str, Any]]:
    given = []
    for field in fields(wish):
        value = getattr(wish, field.name)
        if field.name in _NAMES and value != field.default:
            name, type = _NAMES[field.name]
            given.append({"name": name, f"value{type}": value})
    return given


def _used(membership: Membership) -> list[dict[str, Any]]:
    return [
        {"name": "version", "valueUri": f"{system}|{version}"} for system, version in membership.used.items() if version
    ]


def _identifier(definition: Definition, wish: Wish, chosen: Iterable[Member]) -> str:
    """The same for all pages of the same expansion."""
    version = definition.resource.get("version")
    facts = (
        definition.canonical,
        version,
        wish.filter,
        wish.active_only,
        [(each.system, each.code) for each in chosen],
    )
    return uuid.uuid5(uuid.NAMESPACE_URL, repr(facts)).urn
