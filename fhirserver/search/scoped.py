"""The search part of a SMART scope as a condition: `category=http://…|laboratory&status=final`.

https://hl7.org/fhir/smart-app-launch/STU2/scopes-and-launch-context.html#finer-grained-resource-constraints-using-search-parameters
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

from fhirserver.errors import BadRequest
from fhirserver.predicate import FALSE, And, Eq, Exists, In, Not, Or, Predicate, Prefix, all_of
from fhirserver.search import includes, results
from fhirserver.search.parse import parse

if TYPE_CHECKING:
    from collections.abc import Callable

    from fhirserver.spec import Definitions

_FIELDS: Final = frozenset({"t", "pat"})
_TERMS: Final = Exists("t")


@lru_cache(maxsize=8)
def scoped(defs: Definitions) -> Callable[[str, str], Predicate]:
    """What the search part of a scope finds of a type, by terms alone: tokens, references, strings and uris.

    FALSE for what is not understood, or depends on more than the resource itself: unknown parameters, dates and
    numbers, chains, `_id`, `_lastUpdated`, code sets, and all that shapes a result.
    """

    @lru_cache(maxsize=4096)
    def condition(resource_type: str, text: str) -> Predicate:
        params = parse_qsl(text, keep_blank_values=True)
        if not params or any(name in results.NAMES or includes.is_include(name) for name, _ in params):
            return FALSE
        try:
            query = parse(defs, resource_type, params)
        except BadRequest:
            return FALSE
        found = all_of(query.where)
        if query.joins or query.ignored or len(query.params) != len(params) or not _by_terms(found):
            return FALSE
        return all_of((_TERMS, found))

    return condition


def _by_terms(predicate: Predicate) -> bool:
    match predicate:
        case And(items) | Or(items):
            return all(map(_by_terms, items))
        case Not(item):
            return _by_terms(item)
        case Eq(field) | In(field) | Prefix(field) | Exists(field):
            return field in _FIELDS
        case _:
            return False
