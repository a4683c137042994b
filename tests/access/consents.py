"""Consents, and who sees a resource by them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fhirserver.access import Access, Policy, Requester, acl, build, predicate
from fhirserver.predicate import matches
from tests.access.world import ACT, ALICE, CONF, HERE, INDEXER, NOW, NUMBERS, REASON

if TYPE_CHECKING:
    from datetime import datetime


def physician(rpps: str = ALICE, organization: str | None = HERE, purpose: str = "TREAT") -> Requester:
    return Requester(
        "practitioner",
        rpps,
        rpps=rpps,
        profession="G15_10",
        organization=organization,
        purpose=purpose,
        scopes=("user/*.cruds",),
    )


def consent(provision: dict[str, Any] | None, id_: str = "c", **more: Any) -> dict[str, Any]:
    made = {
        "resourceType": "Consent",
        "id": id_,
        "status": "active",
        "scope": {"coding": [{"code": "patient-privacy"}]},
        "patient": {"reference": "Patient/p"},
        **more,
    }
    return made if provision is None else {**made, "provision": provision}


def actors(*references: str) -> list[dict[str, Any]]:
    return [{"role": {"coding": [{"code": "IRCP"}]}, "reference": {"reference": each}} for each in references]


def purposes(*codes: str) -> list[dict[str, str]]:
    return [{"system": REASON, "code": code} for code in codes]


def observation(id_: str = "1", *labels: str, **more: Any) -> dict[str, Any]:
    security = [{"system": CONF if len(each) == 1 else ACT, "code": each} for each in labels]
    made = {"resourceType": "Observation", "id": id_, "subject": {"reference": "Patient/p"}, **more}
    return made | ({"meta": {"security": security}} if security else {})


def sees(
    who: Requester,
    resource: dict[str, Any],
    *consents: dict[str, Any],
    teams: tuple[dict[str, Any], ...] = (),
    now: datetime = NOW,
    patient: dict[str, Any] | None = None,
    by: tuple[str, ...] = (),
) -> bool:
    document = build("p", patient or {"resourceType": "Patient", "id": "p"}, consents, teams, NUMBERS)
    kind, index = resource["resourceType"], INDEXER.index(resource)
    envelope = {
        "_id": resource["id"],
        "pat": "p",
        "t": list(index.t),
        "d": dict(index.d),
        "acl": acl(resource, who, now, {"by": list(by), "at": now}),
    }
    return matches(predicate(Access.of(who, now), kind, [Policy.of(document)], frozenset({"p"})), envelope)


TPO = purposes("TREAT", "HPAYMT", "HOPERAT")
