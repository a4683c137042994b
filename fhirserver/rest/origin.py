"""Where what a person enters comes from: the mark on it, and its Provenance, written in the same transaction.

Each entry has one Provenance, under an id made of the entry's. It names the version that the person wrote last, who it
was, the application and the device, and it is as secret as the entry. Professionals do not see it: they have the mark.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, Final

from fhirserver import jsontext
from fhirserver.access import Access, entered, keys
from fhirserver.access.acl import security
from fhirserver.access.writes import WORDS
from fhirserver.audit.tables import CLIENT
from fhirserver.clock import to_instant
from fhirserver.errors import Forbidden
from fhirserver.rest.steps import Step
from fhirserver.spec.systems import DATA_OPERATION, PROVENANCE_PARTICIPANT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fhirserver.access import Requester
    from fhirserver.rest.exchange import Exchange
    from fhirserver.store import Stored, Transaction

Resource = dict[str, Any]

TYPE: Final = "Provenance"
_NAMESPACE: Final = uuid.UUID("c0a3f3f4-1d8e-5b0b-8f0e-6a7f5f6f2c55")
_REASON: Final = "origin of an entry"


def id_of(type: str, id: str) -> str:
    """The id of the Provenance of an entry."""
    return str(uuid.uuid5(_NAMESPACE, f"{type}/{id}"))


class Origin(Step):
    """Marks who entered it, with a Provenance of it; of what was derived from a document, the document says that."""

    def receive(self) -> None:
        write = self.write
        if write.post is not None and not write.derived:
            write.post = marked(write.exchange, write.post, write.pre, write.acl)

    def follow(self, stored: Stored) -> None:
        write = self.write
        if write.post is not None:
            written(write.exchange, write.tx, stored, write.post, write.pre)
        elif write.pre is not None:
            removed(write.tx, write.pre)


def marked(
    exchange: Exchange, resource: Resource, pre: Resource | None = None, acl: Mapping[str, Any] | None = None
) -> Resource:
    """The resource with the marks that it is to bear. Raises Forbidden for one that is not the requester's to put.

    `pre` and `acl`: what it was before, and who deposited it.
    """
    who = exchange.access.requester
    own = bool(who.own & set((acl or {}).get("by", ()))) if pre is not None else True
    found = entered.expected(who.kind, own, resource["resourceType"], pre, entered.marks(resource))
    if found is None:
        raise Forbidden(WORDS["entered"])
    return entered.marked(resource, found)


def written(exchange: Exchange, tx: Transaction, stored: Stored, resource: Resource, pre: Resource | None) -> None:
    """Has the Provenance of an entry follow what was just stored."""
    if not entered.marks(resource) or stored.pat is None or resource["resourceType"] in entered.APART:
        return
    who = exchange.access.requester
    changes = who.kind in entered.CODES and (pre is None or _bare(pre) != _bare(resource))
    if pre is not None and not changes and security(pre) == security(resource):
        return
    id_ = id_of(stored.type, stored.id)
    before = None if stored.version == 1 else _there(tx, id_)
    if before is None and not changes:
        return
    made = _made(who, stored, resource) if changes else dict(jsontext.parse_object((before or stored).body))
    made |= {"id": id_, "meta": _meta(resource)}
    index = exchange.services.indexer.index(made)._replace(pat=stored.pat)
    if before is None:
        tx.create(made, id_, fresh=stored.version == 1, index=index)
    else:
        tx.update(made, index=index)


def removed(tx: Transaction, pre: Resource) -> None:
    """Has the Provenance go with a deleted entry."""
    id_ = id_of(pre["resourceType"], pre["id"])
    if entered.marks(pre) and _there(tx, id_) is not None:
        tx.delete(TYPE, id_)


def _there(tx: Transaction, id: str) -> Stored | None:
    """The current version, whoever asks; the transaction may write it then."""
    found = tx.trusted(Access.system(_REASON)).read(TYPE, id)
    return None if found is None or found.deleted else found


def _made(who: Requester, stored: Stored, resource: Resource) -> Resource:
    at = to_instant(stored.last_updated)
    return {
        "resourceType": TYPE,
        "target": [{"reference": f"{stored.type}/{stored.id}/_history/{stored.version}"}],
        "recorded": at,
        "activity": {"coding": [{"system": DATA_OPERATION, "code": "CREATE" if stored.version == 1 else "UPDATE"}]},
        "agent": [_agent("author", _person(who)), *_tools(who, resource)],
    }


def _person(who: Requester) -> Resource:
    reference = f"Patient/{who.patient}" if who.kind == "patient" else who.id
    return {"reference": reference} | ({"display": who.name} if who.name else {})


def _tools(who: Requester, resource: Resource) -> list[Resource]:
    """The application by which, and the device with which it was entered."""
    found = [_agent("enterer", {"identifier": {"system": CLIENT, "value": who.client}})] if who.client else []
    device = resource.get("device")
    if isinstance(device, dict) and resource["resourceType"] == "Observation":
        place = keys.local(device.get("reference"))
        names = ("reference", "identifier", "display") if place and place[0] == "Device" else ("identifier", "display")
        known = {name: device[name] for name in names if name in device}
        found += [_agent("performer", {"type": "Device", **known})] if known else []
    return found


def _agent(role: str, who: Resource) -> Resource:
    return {"type": {"coding": [{"system": PROVENANCE_PARTICIPANT, "code": role}]}, "who": who}


def _meta(resource: Resource) -> Resource:
    """Labels as those of the entry; by the tag, professionals see none of it (`access.private`)."""
    labels = (resource.get("meta") or {}).get("security")
    return {"tag": [entered.ORIGIN]} | ({"security": labels} if labels else {})


def _bare(resource: Resource) -> Resource:
    """What the resource says, without labels and what the server sets."""
    meta = {name: each for name, each in (resource.get("meta") or {}).items() if name == "profile"}
    return {name: each for name, each in resource.items() if name != "meta"} | {"meta": meta}
