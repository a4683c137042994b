"""Invariants of R4 that nearly every resource meets, carried out in Python instead of FHIRPath.

The table is keyed by the expression as published, so that nothing else is ever taken for one of them; a test holds each
equal to its expression. Values are JSON objects that may be malformed in any way: that is reported elsewhere.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from fhirserver.spec.systems import CONDITION_CLINICAL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fhirserver.validation.context import Context

    Predicate = Callable[[Any, Context], bool]


def _has(value: dict[str, Any], element: str) -> bool:
    return element in value or "_" + element in value


def _objects(value: object) -> Iterator[dict[str, Any]]:
    """The objects in a list, or the one object."""
    for item in value if isinstance(value, list) else (value,):
        if isinstance(item, dict):
            yield item


def _contained_in_contained(value: dict[str, Any], ctx: Context) -> bool:
    return not any("contained" in item for item in _objects(value.get("contained")))


def _contained_versioned(value: dict[str, Any], ctx: Context) -> bool:
    metas = (meta for item in _objects(value.get("contained")) for meta in _objects(item.get("meta")))
    return not any(_has(meta, "versionId") or _has(meta, "lastUpdated") for meta in metas)


def _contained_secured(value: dict[str, Any], ctx: Context) -> bool:
    metas = (meta for item in _objects(value.get("contained")) for meta in _objects(item.get("meta")))
    return not any("security" in meta for meta in metas)


def _contained_used(value: dict[str, Any], ctx: Context) -> bool:
    """Each contained resource is referred to from the resource, or refers to it."""
    if "contained" not in value:
        return True
    used = set(_fragments(value))
    return all(f"#{item.get('id')}" in used or "#" in set(_fragments(item)) for item in _objects(value["contained"]))


def _fragments(value: object) -> Iterator[str]:
    """All texts that begin with `#`, wherever they stand."""
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)
        elif isinstance(item, str) and item.startswith("#"):
            yield item


def _narrated(value: dict[str, Any], ctx: Context) -> bool:
    """dom-6; a contained resource is told by the narrative of its container."""
    text = value.get("text")
    return (isinstance(text, dict) and "div" in text) or value is not ctx.container


def _needs(element: str, other: str) -> Predicate:
    """`element.empty() or other.exists()`"""

    def holds(value: dict[str, Any], ctx: Context) -> bool:
        return not _has(value, element) or _has(value, other)

    return holds


def _excludes(element: str, other: str) -> Predicate:
    def holds(value: dict[str, Any], ctx: Context) -> bool:
        return not (_has(value, element) and _has(value, other))

    return holds


def _found_in(element: str, pattern: str) -> Predicate:
    """A pattern somewhere in a text; nothing is broken where there is no text."""
    found = re.compile(pattern).search

    def holds(value: dict[str, Any], ctx: Context) -> bool:
        text = value.get(element)
        return not isinstance(text, str) or found(text) is not None

    return holds


def _any_of(*elements: str) -> Predicate:
    members = frozenset(elements) | frozenset("_" + element for element in elements)

    def holds(value: dict[str, Any], ctx: Context) -> bool:
        return not members.isdisjoint(value)

    return holds


def _never_home(value: dict[str, Any], ctx: Context) -> bool:
    return value.get("use") != "home"


def _value_or_reason(value: dict[str, Any], ctx: Context) -> bool:
    """obs-6 and its like"""
    return "dataAbsentReason" not in value or not _valued(value)


def _valued(value: dict[str, Any]) -> bool:
    return any(key.startswith(("value", "_value")) for key in value)


def _component_codes_differ(value: dict[str, Any], ctx: Context) -> bool:
    """obs-7: with a value, no component repeats a coding of the observation."""
    if "component" not in value or not _valued(value):
        return True
    code = ctx.resource.get("code")
    codings = [coding for item in _objects(code) for coding in _objects(item.get("coding"))]
    for component in _objects(value["component"]):
        for concept in _objects(component.get("code")):
            if any(coding in codings for coding in _objects(concept.get("coding"))):
                return False
    return True


def _status_coded(value: dict[str, Any], element: str, system: str, codes: tuple[str, ...]) -> bool:
    for concept in _objects(value.get(element)):
        for coding in _objects(concept.get("coding")):
            if coding.get("system") == system and coding.get("code") in codes:
                return True
    return False


_VERIFIED: Final = "http://terminology.hl7.org/CodeSystem/condition-ver-status"


def _abated(value: dict[str, Any], ctx: Context) -> bool:
    """con-4"""
    if not any(key.startswith(("abatement", "_abatement")) for key in value):
        return True
    return _status_coded(value, "clinicalStatus", CONDITION_CLINICAL, ("resolved", "remission", "inactive"))


def _not_in_error(value: dict[str, Any], ctx: Context) -> bool:
    """con-5"""
    return "clinicalStatus" not in value or not _status_coded(
        value, "verificationStatus", _VERIFIED, ("entered-in-error",)
    )


def _repeat_positive(element: str) -> Predicate:
    def holds(value: dict[str, Any], ctx: Context) -> bool:
        number = value.get(element)
        return number is None or isinstance(number, str | bool | list | dict) or number >= 0

    return holds


_DOM_3: Final = (
    "contained.where((('#'+id in (%resource.descendants().reference | %resource.descendants().as(canonical) |"
    " %resource.descendants().as(uri) | %resource.descendants().as(url))) or descendants().where(reference ="
    " '#').exists() or descendants().where(as(canonical) = '#').exists() or descendants().where(as(canonical) ="
    " '#').exists()).not()).trace('unmatched', id).empty()"
)

_ELD_19: Final = (
    r"""path.matches('[^\\s\\.,:;\\\'"\\/|?!@#$%&*()\\[\\]{}]{1,64}(\\.[^\\s\\.,:;\\\'"\\/|?!@#$%&*()\\[\\]{}]"""
    r"""{1,64}(\\[x\\])?(\\:[^\\s\\.]+)?)*')"""
)
_ELD_3: Final = "empty() or ($this = '*') or (toInteger() >= 0)"
TEXTS: Final = frozenset((_ELD_3,))
"""The expressions that start from a text, not from an object."""


def _cardinality(value: Any, ctx: Context) -> bool:
    """eld-3; by FHIRPath a text that is no number would leave it undecided."""
    return bool(value == "*" or value.isdecimal())


NATIVE: Final[dict[str, Predicate]] = {
    "contained.contained.empty()": _contained_in_contained,
    "contained.meta.versionId.empty() and contained.meta.lastUpdated.empty()": _contained_versioned,
    "contained.meta.security.empty()": _contained_secured,
    _DOM_3: _contained_used,
    "text.`div`.exists()": _narrated,
    _ELD_3: _cardinality,
    # `matches` is content with a part of the text: with these, with one character.
    _ELD_19: _found_in("path", r"[^\t\n\f\r .,:;'\"/|?!@#$%&*()\[\]{}]"),
    "name.matches('[A-Z]([A-Za-z0-9_]){0,254}')": _found_in("name", "[A-Z]"),
    "expression.exists() or reference.exists()": _any_of("expression", "reference"),
    "code.empty() or system.exists()": _needs("code", "system"),
    "value.empty() or system.exists()": _needs("value", "system"),
    "data.empty() or contentType.exists()": _needs("data", "contentType"),
    "duration.empty() or durationUnit.exists()": _needs("duration", "durationUnit"),
    "period.empty() or periodUnit.exists()": _needs("period", "periodUnit"),
    "periodMax.empty() or period.exists()": _needs("periodMax", "period"),
    "durationMax.empty() or duration.exists()": _needs("durationMax", "duration"),
    "countMax.empty() or count.exists()": _needs("countMax", "count"),
    "duration.exists() implies duration >= 0": _repeat_positive("duration"),
    "period.exists() implies period >= 0": _repeat_positive("period"),
    "comparator.empty()": lambda value, ctx: not _has(value, "comparator"),
    "timeOfDay.empty() or when.empty()": _excludes("timeOfDay", "when"),
    "emptyReason.empty() or entry.empty()": _excludes("emptyReason", "entry"),
    "name.exists() or telecom.exists() or address.exists() or organization.exists()": _any_of(
        "name", "telecom", "address", "organization"
    ),
    "low.exists() or high.exists() or text.exists()": _any_of("low", "high", "text"),
    "type.exists() or actor.exists()": _any_of("type", "actor"),
    "(identifier.count() + name.count()) > 0": _any_of("identifier", "name"),
    "code.exists() or detail.exists()": _any_of("code", "detail"),
    "summary.exists() or assessment.exists()": _any_of("summary", "assessment"),
    "text.exists() or entry.exists() or section.exists()": _any_of("text", "entry", "section"),
    "where(use = 'home').empty()": _never_home,
    "dataAbsentReason.empty() or value.empty()": _value_or_reason,
    "value.empty() or component.code.where(coding.intersect(%resource.code.coding).exists()).empty()": (
        _component_codes_differ
    ),
    "abatement.empty() or clinicalStatus.coding.where(system='http://terminology.hl7.org/CodeSystem/condition-clinical'"
    " and (code='resolved' or code='remission' or code='inactive')).exists()": _abated,
    "verificationStatus.coding.where(system='http://terminology.hl7.org/CodeSystem/condition-ver-status' and"
    " code='entered-in-error').empty() or clinicalStatus.empty()": _not_in_error,
}
"""Published expression to predicate."""
