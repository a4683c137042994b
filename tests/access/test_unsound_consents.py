"""What nobody should write as a Consent: refused, and where it is stored it never widens."""

from __future__ import annotations

from typing import Any

import pytest

from fhirserver.access import problems
from tests.access.consents import TPO, actors, consent, observation, physician, purposes, sees
from tests.access.world import ALICE, BOB, CONF, NUMBERS, TEAM

DEEP: dict[str, Any] = {"type": "permit"}
for _ in range(30):
    DEEP = {"type": "permit", "provision": [DEEP]}

BAD: list[tuple[str, dict[str, Any]]] = [
    ("too deep", DEEP),
    ("too many", {"type": "permit", "provision": [{"type": "deny"}] * 500}),
    ("no type", {}),
    ("nested without type", {"type": "permit", "provision": [{}]}),
    ("inverted period", {"type": "permit", "period": {"start": "2026-03-02", "end": "2026-03-01"}}),
    ("unknown purpose", {"type": "permit", "purpose": purposes("NONSENSE")}),
    ("purpose that only looks known", {"type": "permit", "purpose": [{"system": "urn:x", "code": "TREAT"}]}),
    (
        "unknown class",
        {"type": "permit", "class": [{"system": "http://hl7.org/fhir/resource-types", "code": "Nothing"}]},
    ),
    ("class of a media type", {"type": "permit", "class": [{"system": "urn:ietf:bcp:13", "code": "application/pdf"}]}),
    ("unknown action", {"type": "permit", "action": [{"coding": [{"code": "steal"}]}]}),
    ("code without coding", {"type": "permit", "code": [{"text": "all of it"}]}),
    ("unknown confidentiality", {"type": "permit", "securityLabel": [{"system": CONF, "code": "Z"}]}),
    ("a group", {"type": "permit", "actor": actors("Group/1")}),
    ("an actor by name", {"type": "permit", "actor": [{"role": {}, "reference": {"display": "Dr Who"}}]}),
    ("inverted data period", {"type": "permit", "dataPeriod": {"start": "2026", "end": "2025"}}),
    (
        "data of no meaning",
        {"type": "permit", "data": [{"meaning": "all", "reference": {"reference": "Observation/1"}}]},
    ),
    ("data elsewhere", {"type": "permit", "data": [{"meaning": "instance", "reference": {"reference": "urn:uuid:1"}}]}),
    (
        "related to what is no episode",
        {"type": "permit", "data": [{"meaning": "related", "reference": {"reference": "Observation/1"}}]},
    ),
    ("modifier", {"type": "permit", "modifierExtension": [{"url": "urn:not"}]}),
    (
        "contradiction",
        {
            "type": "deny",
            "provision": [
                {"type": "permit", "actor": actors("Practitioner/alice")},
                {"type": "deny", "actor": actors("Practitioner/alice")},
            ],
        },
    ),
]


@pytest.mark.parametrize(("name", "provision"), BAD, ids=[name for name, _ in BAD])
def test_what_is_not_understood_is_refused_and_where_stored_never_widens(name: str, provision: dict[str, Any]) -> None:
    found = problems(consent(provision))
    assert found
    assert all(issue.is_error or issue.code == "required" for issue in found)
    assert not sees(physician(), observation("9"), consent(provision))
    denying = {**provision, "type": "deny"}
    if name not in ("contradiction", "no type", "nested without type"):
        assert not sees(physician(), observation("1"), consent(denying), teams=(TEAM,)), "a deny holds wherever it may"


def test_a_modifier_of_the_whole_consent_voids_its_permits_only() -> None:
    said = consent(
        {"type": "permit", "provision": [{"type": "deny", "actor": actors("Practitioner/bob")}]}, modifierExtension=[{}]
    )
    assert problems(said)
    assert [sees(physician(who), observation(), said, teams=(TEAM,)) for who in (ALICE, BOB)] == [True, False]


def test_a_sound_consent_has_no_problems() -> None:
    assert (
        problems(
            consent(
                {
                    "type": "permit",
                    "purpose": [*TPO, {"system": "urn:acme", "code": "FooBar"}],
                    "actor": actors("Practitioner/alice"),
                }
            ),
            NUMBERS,
        )
        == []
    )
    assert problems(consent({"type": "permit"}, scope={"coding": [{"code": "research"}]})) == []


def test_who_cannot_be_told_from_others_is_refused_where_identifiers_are_known() -> None:
    said = consent({"type": "deny", "actor": actors("Practitioner/unknown")})
    assert [issue.code for issue in problems(said, NUMBERS)] == ["not-found"]
    assert problems(consent({"type": "deny"}, patient={"display": "me"}))[0].expression == ("Consent.patient",)
