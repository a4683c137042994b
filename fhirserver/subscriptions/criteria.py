"""Criteria of Subscriptions: searches of which a version alone tells whether it meets them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl

from fhirserver.errors import Unprocessable
from fhirserver.predicate import matches
from fhirserver.search import parse
from fhirserver.search.includes import is_include
from fhirserver.search.results import NAMES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fhirserver.search import Query
    from fhirserver.spec import Definitions
    from fhirserver.subscriptions.plan import Wanted

APART: Final = frozenset({"AuditEvent", "Subscription"})
"""Types that nobody subscribes to: what is traced is no resource, and a Subscription would tell of itself."""


def compiled(definitions: Definitions, wanted: Wanted, *, timezone: str = "UTC", base_url: str = "") -> Query:
    """The query of criteria. Raises Unprocessable and BadRequest, with what is wrong."""
    if wanted.type not in definitions.resource_types:
        raise _refused(f"{wanted.type!r} is not a resource type of FHIR R4.")
    if wanted.type in APART:
        raise _refused(f"To {wanted.type} nobody can subscribe.")
    try:
        text = wanted.criteria
        params = parse_qsl(text, keep_blank_values=True, strict_parsing=True, errors="strict") if text else []
    except ValueError:
        raise _refused("The criteria are not written as the query of a URL is.") from None
    for name, _ in params:
        if name in NAMES or name.startswith("_format") or is_include(name):
            raise _refused(f"The parameter {name} says how an answer looks: there is none.")
    query = parse(definitions, wanted.type, params, timezone=timezone, base_url=base_url)
    if query.joins:
        alone = (parse(definitions, wanted.type, [each], timezone=timezone, base_url=base_url) for each in params)
        named = ", ".join(dict.fromkeys(name for (name, _), each in zip(params, alone, strict=True) if each.joins))
        raise _refused(
            f"What {named or 'this'} asks is not told by the resource alone: chains, _has, _list, _text, _content, and "
            "other criteria that lead beyond it are not offered. Name what stands in the resource itself."
        )
    return query


def met(query: Query, envelope: Mapping[str, Any]) -> bool:
    """Whether a version, by what its envelope is found by, meets the criteria."""
    return all(matches(each, envelope) for each in query.where)


def _refused(text: str) -> Unprocessable:
    return Unprocessable(text, code="not-supported", expression="Subscription.criteria")
