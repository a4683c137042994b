"""$meta, $meta-add and $meta-delete on a resource (https://hl7.org/fhir/R4/resource-operations.html).

Profiles, tags and security labels are changed as by an update: validated, judged before and after, a new version.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fhirserver import jsontext
from fhirserver.audit import Entity, Event
from fhirserver.errors import BadRequest
from fhirserver.rest import negotiate, writing
from fhirserver.rest.answer import Answer, of_value, version_headers
from fhirserver.rest.operations.stored import instance
from fhirserver.rest.parameters import received
from fhirserver.rest.patch import patched

if TYPE_CHECKING:
    from collections.abc import Callable

    from fhirserver.rest.exchange import Exchange
    from fhirserver.store import Stored, Transaction

LISTS: Final = ("profile", "tag", "security")

Meta = dict[str, Any]


def meta(exchange: Exchange, type: str, id: str) -> Answer:
    """The resource's `meta`. Absent and hidden: 404; deleted: 410."""
    received(exchange, "Resource-meta")
    stored = instance(exchange, type, id)
    entity = Entity.of(stored)
    return of_value(200, _parameters(stored), Event("operation", 200, (entity,), query=f"{type}/$meta"))


def meta_add(exchange: Exchange, type: str, id: str) -> Answer:
    """Adds the profiles, tags and labels that are not there yet."""
    return _changed(exchange, type, id, "Resource-meta-add", _added)


def meta_delete(exchange: Exchange, type: str, id: str) -> Answer:
    """Takes off the profiles, tags and labels that are there; codings are the same by system and code."""
    return _changed(exchange, type, id, "Resource-meta-delete", _removed)


def _changed(
    exchange: Exchange, type: str, id: str, operation: str, change: Callable[[list[Any], list[Any]], list[Any]]
) -> Answer:
    given: Meta = received(exchange, operation).need("meta")
    expected = negotiate.if_match(exchange.request.headers.get("If-Match"))
    for name, listed in given.items():
        if name not in LISTS or not isinstance(listed, list):
            raise BadRequest(f"meta has lists of {', '.join(LISTS)}; {name!r} is not to be changed so.")

    def apply(resource: dict[str, Any]) -> dict[str, Any]:
        now: Meta = dict(resource.get("meta") or {})
        for name, listed in given.items():
            now[name] = change(list(now.get(name, ())), listed)
        return {**resource, "meta": {name: value for name, value in now.items() if value}}

    def work(tx: Transaction) -> list[Stored]:
        return [patched(exchange, tx, type, id, apply, expected, also=frozenset({"meta"}))[0]]

    stored = writing.commit(exchange, "operation", 200, work)[0]
    return Answer(200, jsontext.dump(_parameters(stored)), version_headers(stored))


def _added(there: list[Any], given: list[Any]) -> list[Any]:
    known = set(map(_key, there))
    for each in given:
        key = _key(each)
        if key not in known:
            known.add(key)
            there.append(each)
    return there


def _removed(there: list[Any], given: list[Any]) -> list[Any]:
    gone = set(map(_key, given))
    return [each for each in there if _key(each) not in gone]


def _key(entry: Any) -> str:
    """The same for entries that are the same; what cannot conform is only itself."""
    return repr((entry.get("system"), entry.get("code")) if isinstance(entry, dict) else entry)


def _parameters(stored: Stored) -> dict[str, Any]:
    found = jsontext.parse_object(stored.body)["meta"]
    return {"resourceType": "Parameters", "parameter": [{"name": "return", "valueMeta": found}]}
