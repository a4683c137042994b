"""Search parameters of users: checked when written, refused until everything is indexed by them, exact then."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from fhirserver.access import Access
from fhirserver.rest.inforce import InForce
from fhirserver.store import Store, reindexing
from tests.application import BASE, Application
from tests.records import INS_NIR, observation, patient, practitioner
from tests.rest.jobs.bulk import kicked_off

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.application import Caller

EYES = "urn:test:eyes"


def parameter(code: str = "eyes", **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "SearchParameter",
        "url": f"urn:test:parameter:{code}",
        "name": code,
        "status": "active",
        "description": "Colour of the eyes",
        "code": code,
        "base": ["Patient"],
        "type": "token",
        "expression": f"Patient.extension('{EYES}').value",
        **more,
    }


def eyes(colour: str, **more: Any) -> dict[str, Any]:
    return patient(extension=[{"url": EYES, "valueCode": colour}], **more)


@pytest.fixture
def server(applications: Callable[..., Any]) -> Iterator[Application]:
    with applications() as opened:
        yield opened


@pytest.fixture
def operator(server: Application) -> Caller:
    return server.operator()


def another_worker(server: Application) -> Application:
    """Another worker process of the same server, as far as it matters here."""
    services = server.services
    in_force = InForce(services.published, base_url=BASE, timezone="UTC")
    in_force.bind(services.store)
    return Application(replace(services, in_force=in_force))


def listed(caller: Caller, type: str = "Patient") -> set[str]:
    (found,) = [each for each in caller.get("metadata").json["rest"][0]["resource"] if each["type"] == type]
    return {each["name"] for each in found["searchParam"]}


def test_a_parameter_finds_what_was_stored_before_and_after(server: Application, operator: Caller) -> None:
    before = operator.create(eyes("green"))
    operator.create(eyes("blue"))
    operator.create(parameter())
    after = operator.create(eyes("green"))
    server.work()
    assert sorted(operator.search("Patient", eyes="green").ids) == sorted([before, after])
    assert operator.search("Patient", **{"eyes:missing": "true"}).total == 0
    assert operator.search("Patient", **{"eyes:not": "green"}).total == 1


def test_until_everything_is_indexed_it_is_refused_by_name(server: Application, operator: Caller) -> None:
    operator.create(eyes("green"))
    operator.create(parameter())
    other = another_worker(server).operator()
    for caller in (operator, other):
        answer = caller.search("Patient", eyes="green")
        assert answer.status == 400
        assert "eyes" in answer.told
        assert "not yet indexed" in answer.told
        assert "eyes" not in listed(caller)
    for path in ("Observation?subject:Patient.eyes=green", "Patient?_sort=eyes", "Patient?name=x&eyes=green"):
        assert operator.get(path).status == 400
    answer = operator.post("Patient", patient(), If_None_Exist="eyes=green")
    assert answer.status == 400
    server.work()
    for caller in (operator, other):
        assert caller.search("Patient", eyes="green").total == 1
        assert "eyes" in listed(caller)
    assert operator.search("Patient", _sort="eyes").status == 200


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"expression": "Patient.name.where("}, "expression"),
        ({"expression": "Patient.eyeColour"}, "eyeColour"),
        ({"expression": "Observation.code"}, "expression"),
        ({"expression": None}, "expression"),
        ({"base": ["Nothing"]}, "Nothing"),
        ({"code": "name"}, "name"),
        ({"code": "_eyes"}, "code"),
        ({"code": "eye colour"}, "code"),
        ({"base": ["DomainResource"], "expression": "DomainResource.text.status", "code": "patient"}, "patient"),
        ({"type": "special"}, "special"),
    ],
)
def test_what_cannot_be_used_is_refused_with_the_reason(
    server: Application, operator: Caller, wrong: dict[str, Any], told: str
) -> None:
    body = {name: value for name, value in (parameter() | wrong).items() if value is not None}
    answer = operator.post("SearchParameter", body)
    assert answer.status in (400, 422), answer
    assert told in answer.told
    assert server.counts() == {}
    assert server.work() == 0


def test_two_parameters_of_one_code_and_type_clash(server: Application, operator: Caller) -> None:
    operator.create(parameter())
    assert operator.post("SearchParameter", parameter(url="urn:other")).status == 422
    operator.create(parameter(base=["Practitioner"], expression=f"Practitioner.extension('{EYES}').value", url="u:1"))
    anywhere = parameter(base=["Resource"], expression="Resource.language", url="urn:more")
    assert operator.post("SearchParameter", anywhere).status == 422


def test_a_draft_does_not_count(server: Application, operator: Caller) -> None:
    id = operator.create(parameter(status="draft"))
    assert server.work() == 0
    assert operator.search("Patient", eyes="green").status == 400
    operator.store(parameter(id=id))
    assert server.work() == 1
    assert operator.search("Patient", eyes="green").total == 0


@pytest.mark.parametrize("end", ["retired", "changed", "deleted"])
def test_one_that_is_changed_or_gone_is_refused_at_once(server: Application, operator: Caller, end: str) -> None:
    operator.create(eyes("green"))
    id = operator.create(parameter())
    server.work()
    other = another_worker(server).operator()
    assert other.search("Patient", eyes="green").total == 1
    if end == "deleted":
        assert operator.delete(f"SearchParameter/{id}").status == 204
    else:
        more = {"status": "retired"} if end == "retired" else {"expression": "Patient.gender"}
        operator.store(parameter(id=id, **more))
    for caller in (operator, other):
        assert caller.search("Patient", eyes="green").status == 400
        assert "eyes" not in listed(caller) or caller is other  # metadata follows within a second
    server.work()
    if end == "changed":
        assert operator.search("Patient", eyes="green").total == 0
    else:
        assert other.search("Patient", eyes="green").status == 400


def test_a_new_text_about_it_changes_nothing(server: Application, operator: Caller) -> None:
    operator.create(eyes("green"))
    id = operator.create(parameter())
    server.work()
    operator.store(parameter(id=id, description="The colour of the eyes"))
    assert operator.search("Patient", eyes="green").total == 1
    assert server.work() == 0


def test_the_walk_waits_until_every_worker_writes_by_the_new_parameter(
    server: Application, operator: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, listed_ids, ready = another_worker(server), Store.ids, []
    other.services.in_force.say()
    operator.create(parameter())
    epoch = server.services.in_force.refreshed().epoch
    assert not server.services.in_force.everywhere(epoch)

    def ids(self: Store, *asked: Any) -> list[str]:
        ready.append(server.services.in_force.everywhere(epoch))
        return listed_ids(self, *asked)

    monkeypatch.setattr(Store, "ids", ids)
    late = threading.Timer(0.5, other.services.in_force.say)
    late.start()
    server.work()
    late.join()
    assert ready == [True]
    found = other.operator().create(eyes("green"))
    assert operator.search("Patient", eyes="green").ids == [found]


def test_the_walk_waits_for_transactions_that_began_before(server: Application, operator: Caller) -> None:
    in_force, writing = server.services.in_force, server.services.store.writing
    begun, go_on = threading.Event(), threading.Event()

    def slow() -> None:
        with writing.under_way():
            begun.set()
            go_on.wait(120)

    thread = threading.Thread(target=slow)
    thread.start()
    assert begun.wait(120)
    operator.create(parameter())
    epoch = in_force.refreshed().epoch
    assert not in_force.everywhere(epoch)
    go_on.set()
    thread.join()
    assert in_force.everywhere(epoch)


def test_a_write_during_the_walk_is_not_lost(
    server: Application, operator: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [operator.create(eyes("green")) for _ in range(5)]
    operator.create(parameter())
    written = reindexing._written

    def between(collection: Any, changes: Any) -> int:
        monkeypatch.setattr(reindexing, "_written", written)
        operator.store(eyes("blue", id=ids[0]))
        operator.delete(f"Patient/{ids[1]}")
        ids.append(operator.create(eyes("green")))
        return written(collection, changes)

    monkeypatch.setattr(reindexing, "_written", between)
    server.work()
    assert operator.search("Patient", eyes="blue").ids == [ids[0]]
    assert sorted(operator.search("Patient", eyes="green").ids) == sorted(ids[2:])
    assert operator.get(f"Patient/{ids[0]}").json["meta"]["versionId"] == "2"


def test_indexing_anew_makes_no_version(server: Application, operator: Caller) -> None:
    id = operator.create(eyes("green"))
    before = operator.get(f"Patient/{id}")
    operator.create(parameter())
    server.work()
    after = operator.get(f"Patient/{id}")
    assert (after.content, after.headers["etag"]) == (before.content, before.headers["etag"])
    assert after.headers["last-modified"] == before.headers["last-modified"]
    assert operator.get(f"Patient/{id}/_history").total == 1


def test_a_deposit_by_ins_stays_in_its_record(server: Application, operator: Caller) -> None:
    identifier = {"system": INS_NIR, "value": "299999999999999"}
    operator.store(patient(id="p", identifier=[identifier]))
    operator.store(practitioner("10000000009", id="doctor"))
    doctor = server.practitioner("10000000009")
    deposit = {
        **observation(),
        "subject": {"identifier": identifier},
        "performer": [{"reference": "Practitioner/doctor"}],
    }
    id = doctor.create(deposit)
    assert operator.search("Observation", patient="p").ids == [id]
    expression = "Observation.status"
    operator.create(parameter("state", base=["Observation"], expression=expression))
    server.work()
    assert operator.search("Observation", patient="p", state="final").ids == [id]
    assert server.patient("p").search("Observation", state="final").ids == [id]
    assert doctor.get(f"Observation/{id}").status == 200


def test_what_is_hidden_stays_hidden(server: Application, operator: Caller) -> None:
    operator.store(eyes("green", id="p"))
    operator.store(eyes("green", id="q"))
    operator.create(parameter())
    server.work()
    assert server.patient("p").search("Patient", eyes="green").ids == ["p"]


@pytest.mark.parametrize(
    ("type", "expression", "value", "asked"),
    [
        ("token", "Patient.maritalStatus", {"maritalStatus": {"coding": [{"system": "u:s", "code": "M"}]}}, "u:s|M"),
        ("string", "Patient.contact.name.family", {"contact": [{"name": {"family": "Éloi"}}]}, "eloi"),
        ("date", "Patient.contact.period", {"contact": [{"name": {"text": "x"}, "period": {"start": "2024-01-01"}}]},
         "ge2024"),
        ("reference", "Patient.contact.organization",
         {"contact": [{"name": {"text": "x"}, "organization": {"reference": "Organization/o"}}]}, "Organization/o"),
        ("number", "Patient.multipleBirth.ofType(integer)", {"multipleBirthInteger": 2}, "2"),
        ("quantity", "Patient.extension('urn:w').value.ofType(Quantity)",
         {"extension": [{"url": "urn:w", "valueQuantity": {"value": 4, "code": "kg",
          "system": "http://unitsofmeasure.org"}}]}, "4000|http://unitsofmeasure.org|g"),
        ("uri", "Patient.implicitRules", {"implicitRules": "urn:rules"}, "urn:rules"),
    ],
)  # fmt: skip
def test_each_type_of_parameter(
    server: Application, operator: Caller, type: str, expression: str, value: dict[str, Any], asked: str
) -> None:
    id = operator.create(patient(**value))
    operator.create(patient())
    operator.create(parameter("own", type=type, expression=expression))
    server.work()
    assert operator.search("Patient", own=asked).ids == [id]


def test_a_parameter_of_every_type_of_resource(server: Application, operator: Caller) -> None:
    id = operator.create(patient(language="fr"))
    operator.create(parameter("tongue", base=["Resource"], expression="Resource.language"))
    server.work()
    found = operator.create(observation(id, language="fr"))
    assert operator.search("Patient", tongue="fr").ids == [id]
    assert operator.search("Observation", tongue="fr").ids == [found]


def test_one_that_repeats_a_parameter_of_r4_leaves_that_as_it_is(server: Application, operator: Caller) -> None:
    id = operator.create(observation())
    operator.create(parameter("a-code", base=["Observation"], expression="Observation.code"))
    later = operator.create(observation())
    assert sorted(operator.search("Observation", code="718-7").ids) == sorted([id, later])
    server.work()
    assert sorted(operator.search("Observation", **{"a-code": "718-7"}).ids) == sorted([id, later])


def test_an_expression_that_fails_on_a_resource_finds_it_not(server: Application, operator: Caller) -> None:
    several = operator.create(patient(name=[{"family": "a"}, {"family": "b"}]))
    one = operator.create(patient(name=[{"family": "a"}]))
    operator.create(parameter("alone", type="string", expression="Patient.name.single().family"))
    server.work()
    assert operator.search("Patient", alone="a").ids == [one]
    assert (
        operator.put(f"Patient/{several}", patient(id=several, name=[{"family": "c"}, {"family": "b"}])).status == 200
    )


def test_only_an_operator_defines_or_indexes_anew(server: Application) -> None:
    for caller in (server.practitioner("10000000001"), server.system("750000001"), server.patient("p")):
        assert caller.post("SearchParameter", parameter()).status == 403
        assert caller.post("$reindex", None, Prefer="respond-async").status == 403


def test_indexing_anew_by_hand(server: Application, operator: Caller) -> None:
    for _ in range(3):
        operator.create(patient())
    operator.create(observation())
    body = {"resourceType": "Parameters", "parameter": [{"name": "type", "valueCode": "Patient"}]}
    status = kicked_off(operator, "$reindex", body)
    assert operator.get(status).headers["x-progress"] == "waiting"
    server.work()
    counts = {each["name"]: each["valueInteger"] for each in operator.get(status).json["parameter"]}
    assert counts == {"seen": 3, "changed": 0, "usable": 0}
    for wrong in ({"name": "type", "valueCode": "Nothing"}, {"name": "parameter", "valueCode": "nothing"}):
        assert operator.post("$reindex", {"resourceType": "Parameters", "parameter": [wrong]}).status == 400


def test_it_is_the_servers_own_work(server: Application) -> None:
    somebody = Access.of(
        server.services.verifier.requester(f"Bearer {server.operator().token}"), server.services.clock()
    )
    store, indexer = server.services.store, server.services.indexer
    with pytest.raises(PermissionError):
        store.reindex(somebody, "Patient", [], lambda resource, _: indexer.index(resource))
    with pytest.raises(PermissionError):
        store.ids(somebody, "Patient", "", 10)
