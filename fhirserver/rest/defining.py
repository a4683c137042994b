"""A SearchParameter that is written takes effect: it is checked and registered, and what is stored is indexed by it.

All but the indexing happens in the transaction of the write. Only an active one counts; one that is changed, retired
or deleted is not searched by from that moment on.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from fhirserver import fhirpath, jsontext
from fhirserver.errors import Unprocessable
from fhirserver.rest.inforce import essence, parameters
from fhirserver.rest.jobs.reindex import KIND
from fhirserver.rest.steps import Step
from fhirserver.search.parameters import catalogue
from fhirserver.spec.parameters import ANCESTORS, union
from fhirserver.store import Added
from fhirserver.store.jobs import document

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from fhirserver.rest.exchange import Exchange
    from fhirserver.rest.inforce import InForce
    from fhirserver.spec import Definitions, SearchParameter
    from fhirserver.store import Stored, Transaction

TYPE: Final = "SearchParameter"
_CODE: Final = re.compile(r"[A-Za-z][\w\-]{0,63}", re.ASCII)
_ANY: Final = ("Basic", "Patient")
"""Types by which a parameter of all types is tried."""


class SearchParameters(Step):
    @staticmethod
    def closing(exchange: Exchange, tx: Transaction, done: Sequence[Stored]) -> None:
        """Raises Unprocessable for one that cannot be used."""
        for each in done:
            if each.type == TYPE:
                _register(exchange, tx, each)

    @staticmethod
    def committed(exchange: Exchange, done: Sequence[Stored]) -> None:
        if any(each.type == TYPE for each in done):
            exchange.services.in_force.refreshed()


def fault(in_force: InForce, published: Definitions, added: Added, others: Iterable[Added]) -> str | None:
    """Why a search parameter cannot be used beside the others; None when it can."""
    resource = added.resource
    if not _CODE.fullmatch(str(resource.get("code", ""))):
        return "its code must be a plain name: a letter, then letters, digits, `-` and `_`"
    try:
        defined = list(parameters(resource))
    except (KeyError, TypeError, AttributeError):
        return "its definition is not whole"
    for base, each in defined:
        if base not in published.resource_types and base not in ANCESTORS:
            return f"its base {base!r} is no resource type of R4"
        told = _clash(published, base, each, others) or _uncompiled(in_force, published, base, added, others)
        if told:
            return told
    return None


def _register(exchange: Exchange, tx: Transaction, stored: Stored) -> None:
    place = f"{TYPE}/{stored.id}"
    registry = tx.registry
    others = registry.all()
    before = next((each for each in others if each.place == place), None)
    resource: dict[str, Any] = {} if stored.deleted else jsontext.parse_object(stored.body)
    if resource.get("status") != "active":
        if before is not None:
            registry.drop(place)
        return
    kept, digest = essence(resource)
    if before is not None and before.digest == digest:
        return
    added = Added(place, f"{place}/_history/{stored.version}", kept, digest)
    services = exchange.services
    told = fault(services.in_force, services.published, added, [each for each in others if each.place != place])
    if told:
        raise Unprocessable(f"The SearchParameter cannot be used: {told}.", code="business-rule", expression=TYPE)
    registry.put(added)
    tx.start(document(KIND, None, {"types": None}, exchange.access.now))


def _clash(published: Definitions, base: str, new: SearchParameter, others: Iterable[Added]) -> str | None:
    """Whether the code has a meaning already for one of the types that it would concern."""
    concerned = published.resource_types if base in ANCESTORS else (base,)
    for type in concerned:
        known = published.search_parameters(type).get(new.code)
        if known is not None:
            return f"{type} has a search parameter {new.code!r} already ({known.url})"
    for other in others:
        for its, each in parameters(other.resource):
            meet = its in ANCESTORS or base in ANCESTORS or its == base
            if each.code == new.code and meet:
                return f"{its} has a search parameter {new.code!r} already ({other.source})"
    return None


def _uncompiled(
    in_force: InForce, published: Definitions, base: str, added: Added, others: Iterable[Added]
) -> str | None:
    """What is wrong with its definition, for one of its bases."""
    code: str = added.resource["code"]
    tried = in_force.with_([added, *others])
    for type in _ANY if base in ANCESTORS else (base,):
        found = catalogue(tried).of(type)
        if code not in found.offered:
            return found.refused.get(code, "its expression says nothing about its base")
        told = _strange(published, type, tried.search_parameters(type)[code].expression)
        if told:
            return told
    return None


def _strange(published: Definitions, type: str, expression: str | None) -> str | None:
    """What the expression names that the type does not have."""
    for operand in union(expression or ""):
        try:
            fhirpath.compile(operand, base=type, defs=published, strict=True)
        except fhirpath.FhirPathError as error:
            return f"its expression is not one of {type}: {error}"
    return None


def of_packages(found: Mapping[str, Mapping[str, Any]]) -> list[Added]:
    """What the SearchParameters of added packages, by canonical, would add."""
    rows = []
    for url, resource in sorted(found.items()):
        kept, digest = essence(resource)
        rows.append(Added(f"package|{url}", url, kept, digest))
    return rows
