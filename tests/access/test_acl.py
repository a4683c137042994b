"""What an envelope keeps of a resource for the rules."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from fhirserver.access import Requester, acl, author_references
from fhirserver.access.keys import of_identifier, of_resource, references
from fhirserver.access.moments import Span, majority, month_before, span
from tests.access.test_rules import ALICE_HERE, HOLDER, HOSPITAL, MOTHER
from tests.access.world import ALICE, BOB, HERE, NOW, coding

RPPS = {"system": "https://rpps.esante.gouv.fr", "value": BOB}


def kept(resource: dict[str, Any], **more: Any) -> dict[str, Any]:
    return acl({"resourceType": "Observation", **resource}, ALICE_HERE, NOW, **more)


def test_who_deposited_and_when_stays_over_versions() -> None:
    first = kept({})
    assert first["by"] == [f"finess|{HERE}", f"rpps|{ALICE}"]
    assert first["at"] == NOW
    later = acl({"resourceType": "Observation"}, HOSPITAL, datetime(2027, 1, 1, tzinfo=UTC), first)
    assert (later["by"], later["at"]) == (first["by"], NOW)


def test_each_kind_of_requester_deposits_under_his_own_keys() -> None:
    assert sorted(HOSPITAL.own) == ["client|his", f"finess|{HERE}"]
    assert HOLDER.own == {"patient|p"}
    assert MOTHER.own == {"related|m"}
    assert Requester("operator", "x").own == frozenset()
    assert "profession|G15_10" in ALICE_HERE.keys - ALICE_HERE.own
    assert Requester("practitioner", "Practitioner/a").own == {"Practitioner/a"}


@pytest.mark.parametrize(
    ("resource", "expected"),
    [
        ({"performer": [{"identifier": RPPS}]}, [f"rpps|{BOB}"]),
        ({"performer": [{"reference": "Practitioner/b"}]}, ["Practitioner/b"]),
        ({"performer": [{"reference": "Practitioner/known"}]}, [f"rpps|{BOB}"]),
        (
            {"performer": [{"reference": "Patient/p"}, {"reference": "RelatedPerson/m/_history/2"}]},
            ["patient|p", "related|m"],
        ),
        ({"resourceType": "Procedure", "performer": [{"actor": {"identifier": RPPS}}]}, [f"rpps|{BOB}"]),
        ({"resourceType": "ServiceRequest", "performer": [{"identifier": RPPS}]}, []),
        ({"resourceType": "Composition", "attester": [{"party": {"identifier": RPPS}}]}, [f"rpps|{BOB}"]),
        (
            {
                "resourceType": "DocumentReference",
                "author": [{"reference": "#a"}],
                "contained": [
                    {
                        "resourceType": "PractitionerRole",
                        "id": "a",
                        "practitioner": {"identifier": RPPS},
                        "organization": {"identifier": {"system": "https://finess.esante.gouv.fr", "value": HERE}},
                    }
                ],
            },
            [f"finess|{HERE}", f"rpps|{BOB}"],
        ),
        ({"performer": [{"reference": "#nobody"}, {"reference": "urn:uuid:1"}, "x", None]}, []),
        ({"performer": {"reference": 3}}, []),
    ],
)
def test_authors_by_identifier_reference_and_contained(resource: dict[str, Any], expected: list[str]) -> None:
    assert kept(resource, identifiers={"Practitioner/known": (f"rpps|{BOB}",)})["author"] == expected


def test_the_references_of_authors_are_known_beforehand() -> None:
    resource = {"resourceType": "Observation", "performer": [{"reference": "Practitioner/b"}, {"identifier": RPPS}]}
    assert author_references(resource) == {"Practitioner/b"}
    team = {"resourceType": "CareTeam", "participant": [{"member": {"reference": "Organization/there"}}]}
    assert author_references(team) == {"Organization/there"}


def test_labels_come_from_everywhere_and_the_highest_counts() -> None:
    resource = {
        "resourceType": "DocumentReference",
        "meta": {"security": [coding("N"), coding("HIV")]},
        "securityLabel": [{"coding": [coding("R"), {"code": "MASQUE_PS"}]}],
        "type": {"coding": [{"code": "b"}, {"code": "a"}]},
    }
    found = kept(resource)
    assert found["conf"] == 4
    assert found["type"] == ["a", "b"]
    assert {"N", "R", "HIV", "MASQUE_PS", "http://terminology.hl7.org/CodeSystem/v3-ActCode|HIV"} <= set(
        found["labels"]
    )
    assert kept({"resourceType": "Composition", "confidentiality": "V"})["conf"] == 5
    assert kept({})["conf"] == 3


def test_a_mistaken_system_may_hide_but_not_show() -> None:
    assert kept({"meta": {"security": [{"system": "urn:x", "code": "V"}]}})["conf"] == 5
    assert kept({"meta": {"security": [{"system": "urn:x", "code": "U"}]}})["conf"] == 3
    assert kept({"meta": {"security": [{"code": "U"}]}})["conf"] == 0


@pytest.mark.parametrize(
    ("identifier", "key"),
    [
        ({"system": "https://rpps.esante.gouv.fr", "value": ALICE}, f"rpps|{ALICE}"),
        ({"system": "urn:oid:1.2.250.1.71.4.2.1", "value": f"8{ALICE}"}, f"rpps|{ALICE}"),
        ({"system": "urn:oid:1.2.250.1.71.4.2.1", "value": "0123456789"}, None),
        ({"system": "https://finess.esante.gouv.fr", "value": "2A0000001"}, "finess|2A0000001"),
        ({"system": "urn:oid:1.2.250.1.71.4.2.2", "value": "1750000001"}, "finess|750000001"),
        ({"system": "urn:oid:1.2.250.1.71.4.2.2", "value": "3750000001"}, None),
        ({"system": "https://rpps.esante.gouv.fr", "value": "12"}, None),
        ({"system": "https://rpps.esante.gouv.fr", "value": 12}, None),
        ({"value": ALICE}, None),
        (None, None),
    ],
)
def test_national_identifiers(identifier: Any, key: str | None) -> None:
    assert of_identifier(identifier) == ((key,) if key else ())


def test_professions_of_a_role() -> None:
    system = "https://mos.esante.gouv.fr/NOS/TRE_G15-ProfessionSante/FHIR/TRE-G15-ProfessionSante"
    codes = [{"coding": [{"system": system, "code": "10"}, {"code": "G15_60/X"}, {"code": "other"}, 3]}, None]
    assert of_resource({"resourceType": "PractitionerRole", "code": codes}) == (
        "profession|G15_10",
        "profession|G15_60",
    )


def test_references_are_local_and_without_version() -> None:
    value = {
        "a": [{"reference": "Patient/1/_history/3"}],
        "b": {"reference": "http://x/Patient/2"},
        "c": {"reference": "#d"},
    }
    assert list(references(value)) == ["Patient/1"]


@pytest.mark.parametrize(
    ("period", "start", "end"),
    [
        ({"start": "2026"}, datetime(2026, 1, 1, tzinfo=UTC), None),
        ({"end": "2026-12"}, None, datetime(2027, 1, 1, tzinfo=UTC)),
        ({"end": "2026"}, None, datetime(2027, 1, 1, tzinfo=UTC)),
        ({"end": "2026-03-01T10:00:00+01:00"}, None, datetime(2026, 3, 1, 9, 0, 1, tzinfo=UTC)),
        ({"end": "2026-03-01T10:00:00.5Z"}, None, datetime(2026, 3, 1, 10, 0, 0, 501_000, tzinfo=UTC)),
    ],
)
def test_periods(period: dict[str, str], start: datetime | None, end: datetime | None) -> None:
    assert span(period) == Span(start, end)


@pytest.mark.parametrize(
    "period",
    [
        "now",
        {"start": "soon"},
        {"start": "2026-13"},
        {"end": 3},
        {"start": "2026", "end": "2025"},
        {"to": "2026"},
        {"start": "2026-03-01T10:00"},
        {"end": "9999-12-31"},
        {"end": "9999"},
    ],
)
def test_periods_that_cannot_be_read_say_so(period: Any) -> None:
    assert not span(period).sure


def test_months_and_birthdays() -> None:
    assert month_before(datetime(2026, 1, 15, tzinfo=UTC)) == datetime(2025, 12, 15, tzinfo=UTC)
    assert month_before(datetime(2024, 3, 31, tzinfo=UTC)) == datetime(2024, 2, 29, tzinfo=UTC)
    assert majority("2006-02-29") is None
    assert majority("2004-02-29", "UTC") == datetime(2022, 3, 1, tzinfo=UTC)
    assert majority("2008-05") == datetime(2026, 4, 30, 22, tzinfo=UTC), "midnight in Paris"
    assert majority("2008-05", "Pacific/Noumea") == datetime(2026, 4, 30, 13, tzinfo=UTC)
    assert majority(None) is None
