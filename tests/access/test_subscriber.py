"""A Subscription is seen and changed by who made it, through the application by which he made it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from fhirserver.access import Access, Requester, acl, judge_write, predicate
from fhirserver.access.subscriber import key
from fhirserver.predicate import matches

NOW = datetime(2026, 3, 1, tzinfo=UTC)
SCOPES = ("user/*.cruds", "patient/*.cruds", "system/*.cruds")
ALICE = Requester(
    "practitioner", "practitioner/1", rpps="10000000001", profession="G15_10", organization="750000001", scopes=SCOPES
)
PERSON = Requester("patient", "patient/p", patient="p", client="app", purpose="PATRQT", scopes=SCOPES)
MADE = {"resourceType": "Subscription", "status": "active"}
OTHERS = (
    replace(ALICE, id="practitioner/2", rpps="10000000002"),
    replace(ALICE, client="app"),
    Requester("system", "client/his", client="his", organization="750000001", scopes=SCOPES),
    PERSON,
    replace(PERSON, client="other"),
    replace(PERSON, client=None),
    Requester("representative", "RelatedPerson/r", patient="p", client="app", scopes=SCOPES),
)


def test_who_made_it_sees_and_changes_it_and_nobody_else() -> None:
    made = acl(MADE, ALICE, NOW)
    assert made["by"] == [key(ALICE)]
    for who in (ALICE, *OTHERS):
        access = Access.of(who, NOW)
        assert matches(predicate(access, "Subscription", []), {"acl": made}) is (who is ALICE)
        assert judge_write(access, "update", "Subscription", MADE, MADE, None, acl=made).allowed is (who is ALICE)
        assert judge_write(access, "delete", "Subscription", MADE, None, None, acl=made).allowed is (who is ALICE)
        assert judge_write(access, "create", "Subscription", None, MADE, None).allowed
    operator = Access.of(Requester("operator", "operator", scopes=SCOPES), NOW)
    assert matches(predicate(operator, "Subscription", []), {"acl": made})


def test_nobody_subscribes_in_an_emergency() -> None:
    for purpose in ("BTG", "ETREAT"):
        decision = judge_write(
            Access.of(replace(ALICE, purpose=purpose), NOW), "create", "Subscription", None, MADE, None
        )
        assert (decision.allowed, decision.reason) == (False, "subscriber")
    insurer = judge_write(Access.of(replace(ALICE, purpose="HPAYMT"), NOW), "create", "Subscription", None, MADE, None)
    assert insurer.reason == "prohibited"
