"""Who may see a version is found by a key that both bear: the access rules show it to nobody else."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from fhirserver.access import Access, Requester, acl, build, predicate
from fhirserver.access.policy import Policy
from fhirserver.predicate import Eq, matches
from fhirserver.search import Query
from fhirserver.subscriptions.audience import of_subscriber, of_version
from tests.records import care_team, consent

if TYPE_CHECKING:
    from collections.abc import Mapping

NOW = datetime(2026, 3, 1, tzinfo=UTC)
SCOPES = ("user/*.cruds", "patient/*.cruds", "system/*.cruds")
ALICE = Requester("practitioner", "practitioner/1", rpps="10000000001", profession="G15_10", scopes=SCOPES)
NURSE = replace(ALICE, id="practitioner/2", rpps="10000000002", profession="G15_60", organization="750000001")
ASKERS = {
    "alice": ALICE,
    "a nurse of a hospital": NURSE,
    "the hospital": Requester("system", "client/his", client="his", organization="750000001", scopes=SCOPES),
    "the person": Requester("patient", "patient/p", patient="p", purpose="PATRQT", scopes=SCOPES),
    "another person": Requester("patient", "patient/q", patient="q", purpose="PATRQT", scopes=SCOPES),
    "the operator": Requester("operator", "operator", scopes=SCOPES),
}
POLICIES: dict[str, list[dict[str, Any]]] = {
    "nothing": [],
    "a team": [care_team("p", "Practitioner/alice")],
    "everyone": [consent("p", "permit")],
    "a hospital": [consent("p", "permit", "Organization/h")],
    "a relative": [consent("p", "permit", "Patient/q")],
}
VERSIONS: dict[str, tuple[str, dict[str, Any], Requester]] = {
    "of the record": ("Observation", {"pat": "p"}, Requester("operator", "operator", scopes=SCOPES)),
    "that a hospital entered": ("Observation", {"pat": "p"}, ASKERS["the hospital"]),
    "that a physician entered": ("Observation", {"pat": "r"}, ALICE),
    "of two": ("Observation", {"pat": "r", "patx": ["p"]}, Requester("operator", "operator", scopes=SCOPES)),
    "of nobody": ("Practitioner", {}, Requester("operator", "operator", scopes=SCOPES)),
    "of nobody, entered": ("Observation", {}, ALICE),
}
IDENTIFIERS = {"Practitioner/alice": ("rpps|10000000001",), "Organization/h": ("finess|750000001",)}


def policy(resources: list[dict[str, Any]]) -> Mapping[str, Any]:
    named = [each | {"id": f"c{place}", "status": "active"} for place, each in enumerate(resources)]
    patient = {"resourceType": "Patient", "id": "p", "active": True, "birthDate": "1980-01-01"}
    consents = [each for each in named if each["resourceType"] == "Consent"]
    teams = [each for each in named if each["resourceType"] == "CareTeam"]
    return build("p", patient, consents, teams, IDENTIFIERS)


@pytest.mark.parametrize("said", POLICIES)
@pytest.mark.parametrize("version", VERSIONS)
def test_who_may_see_a_version_bears_one_of_its_keys(said: str, version: str) -> None:
    made = policy(POLICIES[said])
    type_, envelope, by = VERSIONS[version]
    envelope = {**envelope, "_id": "x", "acl": acl({"resourceType": type_, "status": "final"}, by, NOW)}
    keys = of_version(type_, envelope, {"p": made["basis"]})
    for name, who in ASKERS.items():
        access = Access.of(who, NOW)
        seen = matches(predicate(access, type_, [Policy.of(made)]), envelope)
        found = bool(keys & set(of_subscriber([Query(type_)], who)))
        assert found or not seen, name


def test_nobody_is_looked_at_whom_it_cannot_concern() -> None:
    made = policy(POLICIES["a team"])
    envelope = {"_id": "x", "pat": "p", "acl": {"by": [], "author": []}}
    keys = of_version("Observation", envelope, {"p": made["basis"]})
    hears = {name for name, who in ASKERS.items() if keys & set(of_subscriber([Query("Observation")], who))}
    assert hears == {"alice", "the person", "the operator"}
    named = [Query("Observation", (Eq("pat", "p"),), frozenset({"p"}))]
    assert of_subscriber(named, ALICE) == of_subscriber(named, ASKERS["the operator"]) == ["Observation?p"]
    assert not keys & set(of_subscriber([replace(named[0], patients=frozenset({"q"}))], ALICE))


def test_what_came_with_a_document_is_found_by_who_entered_that() -> None:
    envelope = {"_id": "x", "pat": "p", "acl": {"by": []}, "doc": {"pat": "p", "acl": {"by": ["rpps|10000000001"]}}}
    keys = of_version("Binary", envelope, {})
    assert keys & set(of_subscriber([Query("Binary")], ALICE))
    assert not keys & set(of_subscriber([Query("Binary")], NURSE))
