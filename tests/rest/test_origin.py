"""What a person enters bears a mark and has a Provenance, both the server's; nobody else puts or changes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from fhirserver.access import Requester
from fhirserver.access.entered import ORIGIN
from fhirserver.spec.systems import OBSERVATION_VALUE
from tests.records import care_team, observation, patient, post, practitioner, reference

if TYPE_CHECKING:
    from tests.application import Application, Caller

MARK = {"system": OBSERVATION_VALUE, "code": "PATAST", "display": "patient asserted"}
SECRET = "INVISIBLE_REPRESENTANTS_LEGAUX"
RPPS = "10000000071"
RPPS_SYSTEM = "https://rpps.esante.gouv.fr"


@pytest.fixture(scope="module")
def record(application: Application) -> str:
    id_ = application.operator().create(patient(birthDate="2015-01-01"))
    doctor = application.operator().create(practitioner(RPPS))
    application.operator().create(care_team(id_, f"Practitioner/{doctor}"))
    return id_


@pytest.fixture
def mine(application: Application, record: str) -> Caller:
    return application.patient(record)


def origin(caller: Caller, id_: str, type_: str = "Observation") -> dict[str, Any]:
    """The only Provenance of an entry."""
    found = caller.get(f"Provenance?target={type_}/{id_}")
    assert found.total == 1, found.json
    resource: dict[str, Any] = found.json["entry"][0]["resource"]
    return resource


def tags(answer: dict[str, Any]) -> list[Any]:
    return list(answer["meta"].get("tag", ()))


def untagged(resource: dict[str, Any]) -> dict[str, Any]:
    return {name: each for name, each in resource.items() if name != "meta"}


def test_an_entry_of_the_person_is_marked_and_has_a_provenance(mine: Caller, record: str) -> None:
    answer = mine.post("Observation", observation(record))
    assert tags(answer.json) == [MARK]
    found = origin(mine, answer.id)
    assert found["target"] == [{"reference": f"Observation/{answer.id}/_history/1"}]
    assert [each["who"]["reference"] for each in found["agent"]] == [f"Patient/{record}"]
    assert found["recorded"] == answer.json["meta"]["lastUpdated"]
    assert answer.id in mine.get(f"Observation?patient={record}&_tag={OBSERVATION_VALUE}|PATAST").ids
    assert found["id"] in mine.get(f"Patient/{record}/$everything?_count=500").ids


def test_the_representative_the_application_and_the_device_are_named(application: Application, record: str) -> None:
    who = Requester("representative", "RelatedPerson/parent", patient=record, client="app-1", purpose="PATRQT")
    parent = application.caller(who)
    device = {"identifier": {"system": "urn:example:serial", "value": "SN-1"}}
    answer = parent.post("Observation", observation(record, device=device))
    assert [each["code"] for each in tags(answer.json)] == ["PACQAST"]
    agents = [each["who"] for each in origin(parent, answer.id)["agent"]]
    assert agents[0] == reference("RelatedPerson/parent")
    assert agents[1]["identifier"]["value"] == "app-1"
    assert agents[2]["identifier"]["value"] == "SN-1"


def test_the_provenance_conforms_whatever_the_device_is(mine: Caller, record: str) -> None:
    within = {"resourceType": "Device", "id": "d"}
    use: dict[str, Any] = {
        "resourceType": "DeviceUseStatement",
        "status": "active",
        "subject": reference(f"Patient/{record}"),
    }
    for resource in (
        observation(record, device={"display": "Balance"}),
        observation(record, device=reference("Device/x")),
        observation(record, device=reference("#d"), contained=[within]),
        observation(record, device=reference("DeviceMetric/x")),
        {**use, "device": reference("#d"), "contained": [within]},
    ):
        type_ = str(resource["resourceType"])
        found = origin(mine, mine.post(type_, resource).id, type_)
        issues = mine.post("Provenance/$validate", found).json["issue"]
        assert not [each for each in issues if each["severity"] in ("error", "fatal") and "dom-6" not in str(each)]
        devices = [each["who"] for each in found["agent"] if each["who"].get("type") == "Device"]
        named = {"Balance": 1, "Device/x": 1}
        assert len(devices) == sum(count for text, count in named.items() if text in str(resource.get("device")))
        assert "#d" not in str(devices)


@pytest.mark.parametrize("type_", ["Observation", "Communication", "Provenance"])
def test_nobody_puts_the_tag_of_origins_on_anything(application: Application, record: str, type_: str) -> None:
    tag = {"meta": {"tag": [ORIGIN]}}
    target = {"reference": f"Patient/{record}"}
    made: dict[str, dict[str, Any]] = {
        "Observation": observation(record),
        "Communication": {"resourceType": "Communication", "status": "completed", "subject": target},
        "Provenance": {
            "resourceType": "Provenance",
            "target": [target],
            "recorded": "2026-01-01T00:00:00Z",
            "agent": [{"who": {"identifier": {"system": RPPS_SYSTEM, "value": RPPS}}}],
        },
    }
    for who in (application.practitioner(RPPS), application.patient(record)):
        assert who.post(type_, made[type_] | tag).status == 403
    doctor = application.practitioner(RPPS)
    stored = doctor.create(made[type_])
    assert doctor.put(f"{type_}/{stored}", made[type_] | tag | {"id": stored}).status == 403


def test_a_change_keeps_the_mark_and_the_provenance_follows(mine: Caller, record: str) -> None:
    first = mine.post("Observation", observation(record))
    changed = {**first.json, "status": "amended", "meta": {"tag": [{"system": "urn:x", "code": "y"}]}}
    answer = mine.put(f"Observation/{first.id}", changed)
    assert answer.status == 200
    assert tags(answer.json) == [{"system": "urn:x", "code": "y"}, MARK]
    found = origin(mine, first.id)
    assert found["target"] == [{"reference": f"Observation/{first.id}/_history/2"}]
    assert found["activity"]["coding"][0]["code"] == "UPDATE"
    assert mine.get(f"Provenance/{found['id']}/_history").total == 2
    taken = {"resourceType": "Parameters", "parameter": [{"name": "meta", "valueMeta": {"tag": [MARK]}}]}
    assert mine.post(f"Observation/{first.id}/$meta-delete", taken).status == 200
    assert MARK in tags(mine.get(f"Observation/{first.id}").json)
    assert mine.delete(f"Observation/{first.id}").status == 204
    assert mine.get(f"Provenance?target=Observation/{first.id}").total == 0


def test_in_a_transaction_and_by_if_none_exist_as_by_itself(mine: Caller, record: str) -> None:
    answer = mine.transact(post(observation(record)), post(observation(record, "2345-7")))
    ids = [each["response"]["location"].split("/")[1] for each in answer.json["entry"]]
    assert [tags(mine.get(f"Observation/{each}").json) for each in ids] == [[MARK], [MARK]]
    assert len({origin(mine, each)["id"] for each in ids}) == 2


def test_nobody_else_marks_anything(application: Application, record: str, mine: Caller) -> None:
    doctor = application.practitioner(RPPS)
    marked = observation(record) | {"meta": {"tag": [MARK]}}
    for caller in (doctor, application.system("750000002")):
        refused = caller.post("Observation", marked)
        assert refused.status == 403, refused.json
        assert "meta.security" in refused.told
    plain = doctor.post("Observation", observation(record))
    assert tags(plain.json) == []
    assert doctor.put(f"Observation/{plain.id}", {**plain.json, "meta": {"tag": [MARK]}}).status == 403
    assert mine.put(f"Observation/{plain.id}", {**plain.json, "meta": {"tag": [MARK]}}).status == 403
    masked = [{"op": "add", "path": "/meta/security", "value": [{"code": "MASQUE_PS"}]}]
    assert mine.call("PATCH", f"Observation/{plain.id}", masked, PATCH).status == 200
    assert tags(mine.get(f"Observation/{plain.id}").json) == []
    assert mine.get(f"Provenance?target=Observation/{plain.id}").total == 0
    other = {"system": OBSERVATION_VALUE, "code": "PACQAST"}
    assert mine.post("Observation", observation(record) | {"meta": {"tag": [other]}}).status == 403


PATCH = {"Content-Type": "application/json-patch+json"}


def test_a_professional_who_changes_an_entry_does_not_take_the_mark_off(
    application: Application, record: str, mine: Caller
) -> None:
    said: dict[str, Any] = {"performer": [{"identifier": {"system": "https://rpps.esante.gouv.fr", "value": RPPS}}]}
    first = mine.post("Observation", observation(record, **said))
    doctor = application.practitioner(RPPS)
    changed = doctor.put(f"Observation/{first.id}", untagged(first.json) | {"status": "amended"})
    assert changed.status == 200, changed.json
    assert tags(changed.json) == [MARK]
    assert origin(mine, first.id)["target"] == [{"reference": f"Observation/{first.id}/_history/1"}]


def test_the_provenance_is_the_servers(application: Application, record: str, mine: Caller) -> None:
    answer = mine.post("Observation", observation(record))
    found = origin(mine, answer.id)
    assert mine.put(f"Provenance/{found['id']}", {**found, "recorded": "2020-01-01T00:00:00Z"}).status == 403
    assert mine.delete(f"Provenance/{found['id']}").status == 403
    forged = {name: each for name, each in found.items() if name != "id"}
    assert mine.post("Provenance", forged).status == 403
    own = {**untagged(forged), "target": [reference(f"Observation/{answer.id}"), reference(f"Patient/{record}")]}
    assert mine.post("Provenance", own).status == 201


def test_the_provenance_is_as_secret_as_the_entry_and_not_for_professionals(
    application: Application, record: str, mine: Caller
) -> None:
    kept = mine.post("Observation", observation(record, meta={"security": [{"code": SECRET}]}))
    parent, doctor = application.representative(record), application.practitioner(RPPS)
    assert parent.get(f"Provenance?target=Observation/{kept.id}").total == 0
    shown = mine.post("Observation", observation(record))
    assert parent.get(f"Provenance?target=Observation/{shown.id}").total == 1
    assert doctor.get(f"Observation/{shown.id}").status == 200
    patched = [
        {"op": "add", "path": "/generalPractitioner", "value": [{"identifier": {"system": RPPS_SYSTEM, "value": RPPS}}]}
    ]
    assert mine.call("PATCH", f"Patient/{record}", patched, PATCH).status == 200
    assert doctor.get(f"Provenance?target=Observation/{shown.id}").total == 0
    hide = [{"op": "add", "path": "/meta/security", "value": [{"code": SECRET}]}]
    assert mine.call("PATCH", f"Observation/{shown.id}", hide, PATCH).status == 200
    assert parent.get(f"Provenance?target=Observation/{shown.id}").total == 0
    assert parent.get(f"Provenance/{origin(mine, shown.id)['id']}").status == 404
    assert origin(mine, shown.id)["target"] == [{"reference": f"Observation/{shown.id}/_history/1"}]


def test_an_app_that_may_only_write_measures_writes_them(application: Application, record: str) -> None:
    who = Requester("patient", f"patient/{record}", patient=record, purpose="PATRQT")
    app = application.caller(who, scope="patient/Observation.cru")
    first = app.post("Observation", observation(record))
    assert app.put(f"Observation/{first.id}", {**first.json, "status": "amended"}).status == 200
    assert app.get(f"Provenance?target=Observation/{first.id}").total == 0


def test_what_an_operator_sends_stays(application: Application, record: str) -> None:
    operator = application.operator()
    answer = operator.post("Observation", observation(record) | {"meta": {"tag": [MARK]}})
    assert tags(answer.json) == [MARK]
    assert tags(operator.put(f"Observation/{answer.id}", untagged(answer.json)).json) == []
    assert operator.get(f"Provenance?target=Observation/{answer.id}").total == 0
