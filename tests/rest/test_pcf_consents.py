"""The Consents that IHE PCF describes (basic, intermediate, advanced): written by the person, in force at once."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from tests import records
from tests.application import application, applications, embedded_uri

if TYPE_CHECKING:
    from tests.application import Application

__all__ = ["application", "applications", "embedded_uri"]

ALICE, BOB, CAROL = "10000000001", "10000000002", "10000000003"
TERMINOLOGY = "http://terminology.hl7.org/CodeSystem"
REASON, CONF, ACT = (f"{TERMINOLOGY}/v3-{each}" for each in ("ActReason", "Confidentiality", "ActCode"))
Provision = dict[str, Any]


def complete(provision: Provision, **more: Any) -> records.Resource:
    """A Consent with all that PCF's foundation profile asks for."""
    made = records.consent("p", "permit")
    made.pop("policyRule")
    return made | {
        "dateTime": "2026-01-15",
        "organization": [records.reference("Organization/custodian")],
        "sourceAttachment": {"title": "signed on paper"},
        "policy": [{"uri": "https://example.org/privacy-policy"}],
        "provision": provision,
        **more,
    }


def purposes(*codes: str) -> list[dict[str, str]]:
    return [{"system": REASON, "code": code} for code in codes]


def actors(*references: str) -> list[dict[str, Any]]:
    role = {"coding": [{"system": f"{TERMINOLOGY}/v3-ParticipationType", "code": "IRCP"}]}
    return [{"role": role, "reference": records.reference(each)} for each in references]


def data(meaning: str, to: str) -> list[dict[str, Any]]:
    return [{"meaning": meaning, "reference": records.reference(to)}]


def labels(*codes: str) -> list[dict[str, str]]:
    return [{"system": CONF if len(code) == 1 else ACT, "code": code} for code in codes]


ALL, USUAL = "bob enc n old psy r", "bob enc n old psy"
YEAR = {"start": "2025-01-01", "end": "2025-12-31"}
OLD = {"start": "2019-01-01", "end": "2019-12-31"}


class Scenario(NamedTuple):
    """`carol` is nobody's team, `alice` is in the care team: what they see; `glass`: Carol in an emergency."""

    name: str
    provisions: tuple[Provision, ...]
    carol: str
    alice: str = ALL
    glass: str = ALL


def but(**condition: Any) -> Provision:
    return {"type": "permit", "provision": [{"type": "deny", **condition}]}


def permit(**condition: Any) -> Provision:
    return {"type": "permit", **condition}


SCENARIOS = [
    Scenario("permit for treatment", (permit(purpose=purposes("TREAT", "HPAYMT", "HOPERAT")),), USUAL),
    Scenario("rejection", ({"type": "deny"},), "", "", ""),
    Scenario("expired", (permit(period={"end": "2025-12-31"}),), ""),
    Scenario("purpose limited", (but(purpose=purposes("TREAT")),), "", "", ""),
    Scenario("research alone", (permit(purpose=purposes("HRESCH")),), ""),
    Scenario("timeframe", (permit(dataPeriod=YEAR),), "bob enc n psy"),
    Scenario("not timeframe", (but(dataPeriod=OLD),), "bob enc n psy", "bob enc n psy r", "bob enc n psy r"),
    Scenario("encounter", (permit(data=data("related", "Encounter/e")),), "enc"),
    Scenario("not encounter", (but(data=data("related", "Encounter/e")),), "bob n old psy", "bob n old psy r",
             "bob n old psy r"),
    Scenario("data", (permit(data=data("instance", "Observation/n")),), "n"),
    Scenario("not data", (but(data=data("instance", "Observation/n")),), "bob enc old psy", "bob enc old psy r",
             "bob enc old psy r"),
    Scenario("authored by", (permit(data=data("authoredby", "Practitioner/bob")),), "bob"),
    Scenario("not authored by", (but(data=data("authoredby", "Practitioner/bob")),), "enc n old psy", "enc n old psy r",
             "enc n old psy r"),
    Scenario("dissent with break-glass", ({"type": "deny", "provision": [permit(purpose=purposes("BTG"))]},), "", "",
             USUAL),
    Scenario("normal", (permit(securityLabel=labels("N")),), USUAL),
    Scenario("normal and restricted", (permit(securityLabel=labels("N", "R")),), ALL),
    Scenario("normal, not restricted", (permit(provision=[{"type": "deny", "securityLabel": labels("R")}]),), USUAL,
             USUAL, USUAL),
    Scenario("restricted for a focused recipient",
             (permit(securityLabel=labels("N")), permit(actor=actors("Practitioner/carol"), securityLabel=labels("R"))),
             ALL),
    Scenario("PSY for a focused recipient",
             (but(securityLabel=labels("PSY")),
              permit(actor=actors("Practitioner/carol"), securityLabel=labels("PSY"))),
             USUAL, "bob enc n old r"),
    Scenario("break-glass for restricted",
             (permit(securityLabel=labels("N")), permit(purpose=purposes("BTG"), securityLabel=labels("R"))), USUAL),
]  # fmt: skip


@pytest.fixture(scope="module")
def record(application: Application) -> Application:
    operator = application.operator()
    for rpps, name in ((ALICE, "alice"), (BOB, "bob"), (CAROL, "carol")):
        operator.store(records.practitioner(rpps, id=name))
    operator.store(records.patient(id="p", birthDate="2020-02-03"))
    operator.store(records.care_team("p", "Practitioner/alice", id="t"))
    operator.store({"resourceType": "Encounter", "id": "e", "status": "finished", "class": {"code": "AMB"},
                    "subject": records.reference("Patient/p")})  # fmt: skip
    more: dict[str, dict[str, Any]] = {
        "n": {},
        "r": {"meta": {"security": labels("R")}},
        "psy": {"meta": {"security": labels("PSY")}},
        "enc": {"encounter": records.reference("Encounter/e")},
        "bob": {"performer": [records.reference("Practitioner/bob")]},
        "old": {"effectiveDateTime": "2019-05-05"},
    }
    for name, elements in more.items():
        operator.store(records.observation("p", id=name, **{"effectiveDateTime": "2025-05-05", **elements}))
    return application


def seen(record: Application, rpps: str, purpose: str = "TREAT") -> str:
    return " ".join(sorted(record.practitioner(rpps, purpose=purpose).search("Observation", patient="p").ids))


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda each: each.name)
def test_a_consent_of_pcf_is_carried_out_as_it_is_written(record: Application, scenario: Scenario) -> None:
    person = record.patient("p")
    made = [person.create(complete(each)) for each in scenario.provisions]
    try:
        assert (seen(record, CAROL), seen(record, ALICE)) == (scenario.carol, scenario.alice)
        assert seen(record, CAROL, "BTG") == scenario.glass
    finally:
        for each in made:
            assert person.delete(f"Consent/{each}").status == 204
    assert (seen(record, CAROL), seen(record, ALICE)) == ("", ALL)


def test_a_mother_consents_for_her_infant(record: Application) -> None:
    mother = record.representative("p")
    by_her = {"performer": [records.reference("RelatedPerson/parent")]}
    made = mother.create(complete(permit(purpose=purposes("TREAT")), **by_her))
    assert seen(record, CAROL) == USUAL
    assert mother.delete(f"Consent/{made}").status == 204


def test_only_who_may_grant_grants(record: Application) -> None:
    written = complete(permit(actor=actors("Practitioner/carol")))
    grown = record.at(datetime(2039, 1, 1, tzinfo=UTC)).representative("p")
    others = [record.practitioner(CAROL), record.practitioner(ALICE), record.system("750000001"), record.patient("q")]
    assert [who.post("Consent", written).status for who in (*others, grown)] == [403] * 5
    assert seen(record, CAROL) == ""
