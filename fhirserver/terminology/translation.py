"""$translate: concept maps read forward and backward (https://hl7.org/fhir/R4/conceptmap-operation-translate.html)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fhirserver.terminology.answers import coding, group, parameter, parameters

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from fhirserver.terminology.sources import Finder

NO_MATCH: Final = frozenset({"unmatched", "disjoint"})
_REVERSED: Final = {"wider": "narrower", "narrower": "wider", "subsumes": "specializes", "specializes": "subsumes"}
_MAPS: Final = 8
"""Concept maps that refer to one another, in a row."""


class Question(NamedTuple):
    """What to translate. `source` and `target` are value sets, `target_system` a code system; None: any.

    `dependencies`: property -> values that the record has for it.
    """

    codings: Sequence[Mapping[str, Any]]
    source: str | None = None
    target: str | None = None
    target_system: str | None = None
    reverse: bool = False
    dependencies: Mapping[str, frozenset[str]] = {}


class Match(NamedTuple):
    """A target with the map it comes from; without `concept` the map says that there is none."""

    equivalence: str
    concept: dict[str, str] | None
    products: tuple[Mapping[str, Any], ...]
    source: str | None


def translate(finder: Finder, question: Question, maps: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The matches of all codings in all maps that serve, as Parameters."""
    matches: dict[str, Match] = {}
    served = 0
    for concept_map in maps:
        if not _serves(concept_map, question):
            continue
        served += 1
        for each in question.codings:
            for match in _matches(finder, concept_map, each, question, ()):
                matches.setdefault(repr(match), match)
    result = any(each.equivalence not in NO_MATCH for each in matches.values())
    parts = [parameter("result", "Boolean", result)]
    if not result:
        codes = ", ".join(str(each["code"]) for each in question.codings)
        why = "No concept map here serves this translation." if not served else f"No map has a target for {codes}."
        parts.append(parameter("message", "String", why))
    return parameters([*parts, *map(_as_part, matches.values())])


def scope(concept_map: Mapping[str, Any], side: str) -> str | None:
    """The value set that a map is made from (`source`) or to (`target`)."""
    found: str | None = concept_map.get(f"{side}Canonical") or concept_map.get(f"{side}Uri")
    return found


def _serves(concept_map: Mapping[str, Any], question: Question) -> bool:
    source, target = ("target", "source") if question.reverse else ("source", "target")
    wanted = ((question.source, scope(concept_map, source)), (question.target, scope(concept_map, target)))
    return all(asked is None or _url(asked) == _url(own) for asked, own in wanted)


def _url(canonical: str | None) -> str | None:
    return None if canonical is None else canonical.partition("|")[0]


def _matches(
    finder: Finder,
    concept_map: Mapping[str, Any],
    given: Mapping[str, Any],
    question: Question,
    within: tuple[str, ...],
) -> Iterator[Match]:
    for part in concept_map.get("group", ()):
        if question.reverse:
            yield from _backward(concept_map, part, given, question)
        elif _of_group(part, "source", given) and question.target_system in (None, part.get("target")):
            yield from _forward(finder, concept_map, part, given, question, within)


def _of_group(part: Mapping[str, Any], side: str, given: Mapping[str, Any]) -> bool:
    version = part.get(f"{side}Version")
    if version and given.get("version") and version != given["version"]:
        return False
    return part.get(side) in (None, given.get("system"))


def _forward(
    finder: Finder,
    concept_map: Mapping[str, Any],
    part: Mapping[str, Any],
    given: Mapping[str, Any],
    question: Question,
    within: tuple[str, ...],
) -> Iterator[Match]:
    elements = [each for each in part.get("element", ()) if each.get("code") == given["code"]]
    for element in elements:
        for target in element.get("target", ()):
            if _applies(target, question):
                yield _match(concept_map, part, target)
    if not elements and "unmapped" in part:
        yield from _unmapped(finder, concept_map, part, given, question, within)


def _applies(target: Mapping[str, Any], question: Question) -> bool:
    """Whether the record has the values that a target depends on."""
    return all(
        each.get("value") in question.dependencies.get(each.get("property", ""), ())
        for each in target.get("dependsOn", ())
    )


def _match(concept_map: Mapping[str, Any], part: Mapping[str, Any], target: Mapping[str, Any]) -> Match:
    concept = None
    if "code" in target:
        concept = coding(part.get("target"), target["code"], target.get("display"), part.get("targetVersion"))
    return Match(target["equivalence"], concept, tuple(target.get("product", ())), concept_map.get("url"))


def _unmapped(
    finder: Finder,
    concept_map: Mapping[str, Any],
    part: Mapping[str, Any],
    given: Mapping[str, Any],
    question: Question,
    within: tuple[str, ...],
) -> Iterator[Match]:
    """What a group says of codes that it does not list."""
    unmapped, url = part["unmapped"], concept_map.get("url")
    if unmapped["mode"] == "provided":
        concept = coding(part.get("target"), given["code"], given.get("display"))
        yield Match("equivalent", concept, (), url)
    elif unmapped["mode"] == "fixed":
        concept = coding(part.get("target"), unmapped["code"], unmapped.get("display"), part.get("targetVersion"))
        yield Match("relatedto", concept, (), url)
    elif unmapped["mode"] == "other-map" and unmapped["url"] not in within and len(within) < _MAPS:
        other = finder.find("ConceptMap", unmapped["url"])
        if other is not None:
            yield from _matches(finder, other.resource, given, question, (*within, unmapped["url"]))


def _backward(
    concept_map: Mapping[str, Any], part: Mapping[str, Any], given: Mapping[str, Any], question: Question
) -> Iterator[Match]:
    if not _of_group(part, "target", given) or question.target_system not in (None, part.get("source")):
        return
    for element in part.get("element", ()):
        for target in element.get("target", ()):
            if target.get("code") == given["code"] and "code" in element and _applies(target, question):
                concept = coding(part.get("source"), element["code"], element.get("display"), part.get("sourceVersion"))
                equivalence = _REVERSED.get(target["equivalence"], target["equivalence"])
                yield Match(equivalence, concept, (), concept_map.get("url"))


def _as_part(match: Match) -> dict[str, Any]:
    parts = [parameter("equivalence", "Code", match.equivalence)]
    if match.concept:
        parts.append(parameter("concept", "Coding", match.concept))
    for each in match.products:
        concept = coding(each.get("system"), each["value"], each.get("display"))
        parts.append(
            group("product", [parameter("element", "Uri", each["property"]), parameter("concept", "Coding", concept)])
        )
    if match.source:
        parts.append(parameter("source", "Uri", match.source))
    return group("match", parts)
