"""patch (https://hl7.org/fhir/R4/http.html#patch): by JSON Patch, FHIRPath Patch and XML Patch."""

from __future__ import annotations

import base64
import importlib
import uuid
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from fhirserver import jsontext
from fhirserver.errors import BadRequest, FhirError, Unprocessable
from fhirserver.rest.patching import fhirpath_patch, json_patch, xml_patch
from fhirserver.spec import Definitions
from tests.application import BASE
from tests.records import ask, document, observation, patient, reference

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.application import Answer, Application, Caller

JSON_PATCH, XML_PATCH = "application/json-patch+json", "application/xml-patch+xml"
FHIR = 'xmlns="http://hl7.org/fhir"'


@pytest.fixture(scope="module")
def operator(application: Application) -> Caller:
    return application.operator()


def replace(path: str, value: Any) -> dict[str, Any]:
    return {"op": "replace", "path": path, "value": value}


def parameters(*operations: dict[str, Any]) -> dict[str, Any]:
    """Members are parts: a dict is the part's own members, text a `valueString`, `type` a `valueCode`."""
    listed = []
    for operation in operations:
        parts = []
        for name, value in operation.items():
            given = value if isinstance(value, dict) else {"valueCode" if name == "type" else "valueString": value}
            parts.append({"name": name, **given})
        listed.append({"name": "operation", "part": parts})
    return {"resourceType": "Parameters", "parameter": listed}


def set_gender(code: str) -> dict[str, Any]:
    return parameters({"type": "replace", "path": "Patient.gender", "value": {"valueCode": code}})


def patch(caller: Caller, path: str, body: Any, media: str = JSON_PATCH, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return caller.call("PATCH", path, body, {"Content-Type": media, **named})


def by_json(caller: Caller, path: str, **headers: str) -> Answer:
    return patch(caller, path, [replace("/gender", "female")], **headers)


def by_fhirpath(caller: Caller, path: str, **headers: str) -> Answer:
    return patch(caller, path, set_gender("female"), "application/fhir+json", **headers)


def by_xml(caller: Caller, path: str, **headers: str) -> Answer:
    body = f'<diff {FHIR}><replace sel="Patient/gender/@value">female</replace></diff>'.encode()
    return patch(caller, path, body, XML_PATCH, **headers)


WAYS = (by_json, by_fhirpath, by_xml)


@pytest.mark.parametrize("way", WAYS)
class TestEveryFormat:
    def test_a_part_is_changed_and_the_rest_is_kept(self, operator: Caller, way: Callable[..., Answer]) -> None:
        made = operator.post("Patient", patient(gender="male", name=[{"family": "Ravel"}], _gender={"id": "g"}))
        answer = way(operator, f"Patient/{made.id}")
        assert answer.status == 200
        assert answer.headers["etag"] == 'W/"2"'
        assert answer.headers["location"] == f"{BASE}/Patient/{made.id}/_history/2"
        now = operator.get(f"Patient/{made.id}").json
        assert now == answer.json
        assert (now["gender"], now["name"], now["meta"]["versionId"]) == ("female", [{"family": "Ravel"}], "2")
        assert operator.get(f"Patient/{made.id}/_history/1").json["gender"] == "male"
        assert operator.search("Patient", _id=made.id, gender="female").total == 1

    def test_if_match_holds(self, operator: Caller, way: Callable[..., Answer]) -> None:
        id = operator.create(patient(gender="male"))
        assert way(operator, f"Patient/{id}", If_Match='W/"2"').status == 412
        assert way(operator, f"Patient/{id}", If_Match='W/"1"').status == 200

    def test_what_is_absent_hidden_or_deleted_is_answered_as_a_read(
        self, application: Application, operator: Caller, way: Callable[..., Answer]
    ) -> None:
        hidden, gone = operator.create(patient(gender="male")), operator.create(patient(gender="male"))
        operator.delete(f"Patient/{gone}")
        other = application.system("750000002")
        answers = [way(other, f"Patient/{id}", If_Match='W/"9"') for id in (hidden, "0" * len(hidden), gone)]
        assert [each.status for each in answers] == [404, 404, 404]
        assert answers[0].told.replace(hidden, "0" * len(hidden)) == answers[1].told
        assert way(operator, f"Patient/{gone}").status == 410
        assert operator.get(f"Patient/{hidden}").headers["etag"] == 'W/"1"'

    def test_criteria_say_which(self, application: Application, operator: Caller, way: Callable[..., Answer]) -> None:
        value = uuid.uuid4().hex
        where = f"Patient?identifier={value}"
        assert way(operator, where).status == 404
        known = patient(gender="male", identifier=[{"system": "urn:oid:1.2", "value": value}])
        id = operator.create(known)
        assert way(application.system("750000002"), where).status == 404
        assert way(operator, where).json["id"] == id
        operator.create(known)
        assert way(operator, where).status == 412
        assert way(operator, "Patient").status == 412


class TestTheWayOfAnUpdate:
    def test_what_does_not_conform_is_refused(self, application: Application, operator: Caller) -> None:
        id = operator.create(patient(gender="male"))
        before = application.counts()
        for body in ([replace("/gender", "m")], [{"op": "add", "path": "/colour", "value": 1}]):
            assert patch(operator, f"Patient/{id}", body).status == 422
        wrong = f'<diff {FHIR}><add sel="f:Patient"><colour value="1"/></add></diff>'.encode()
        assert patch(operator, f"Patient/{id}", wrong, XML_PATCH).status == 422
        assert application.counts() == before

    @pytest.mark.parametrize(
        "operation", [replace("/id", "other"), replace("/resourceType", "Group"), {"op": "remove", "path": "/id"}]
    )
    def test_a_resource_stays_what_it_is(self, operator: Caller, operation: dict[str, Any]) -> None:
        id = operator.create(patient())
        assert patch(operator, f"Patient/{id}", [operation]).status == 400
        assert operator.get(f"Patient/{id}").headers["etag"] == 'W/"1"'

    def test_the_version_is_the_servers_to_say(self, operator: Caller) -> None:
        id = operator.create(patient())
        answer = patch(operator, f"Patient/{id}", [replace("/meta/versionId", "77")])
        assert answer.json["meta"]["versionId"] == "2"

    def test_both_the_state_before_and_after_are_judged(self, application: Application, operator: Caller) -> None:
        me, other = operator.create(patient()), operator.create(patient())
        mine = application.patient(me)
        theirs = operator.create(observation(me))
        assert patch(mine, f"Observation/{theirs}", [replace("/status", "amended")]).status == 403
        own = mine.create(observation(me))
        assert patch(mine, f"Observation/{own}", [replace("/status", "amended")]).status == 200
        moved = [replace("/subject/reference", f"Patient/{other}")]
        assert patch(mine, f"Observation/{own}", moved).status == 403

    def test_the_person_masks_by_patch(self, application: Application, operator: Caller) -> None:
        me = operator.create(patient())
        letter = operator.create(document(me))
        label = [{"coding": [{"code": "MASQUE_PS"}]}]
        answer = patch(
            application.patient(me),
            f"DocumentReference/{letter}",
            [{"op": "add", "path": "/securityLabel", "value": label}],
        )
        assert answer.status == 200

    def test_patches_at_once_lose_nothing(self, application: Application, operator: Caller) -> None:
        id = operator.create(patient())

        def add(n: int) -> int:
            family = {"op": "add", "path": "/name/-", "value": {"family": f"N{n}"}}
            return patch(application.operator(), f"Patient/{id}", [family]).status

        assert (
            patch(operator, f"Patient/{id}", [{"op": "add", "path": "/name", "value": [{"text": "x"}]}]).status == 200
        )
        with ThreadPoolExecutor(8) as pool:
            assert set(pool.map(add, range(8))) == {200}
        assert len(operator.get(f"Patient/{id}").json["name"]) == 9

    def test_decimals_keep_their_digits(self, operator: Caller) -> None:
        body = b'{"resourceType":"Observation","status":"final","code":{"text":"x"},"valueQuantity":{"value":1.50}}'
        id = operator.call("POST", "Observation", body).id
        ways: tuple[Callable[[], Answer], ...] = (
            lambda: patch(operator, f"Observation/{id}", [replace("/status", "amended")]),
            lambda: patch(
                operator,
                f"Observation/{id}",
                parameters({"type": "replace", "path": "Observation.status", "value": {"valueCode": "final"}}),
                "application/fhir+json",
            ),
            lambda: patch(
                operator,
                f"Observation/{id}",
                f'<d {FHIR}><replace sel="Observation/status/@value">amended</replace></d>'.encode(),
                XML_PATCH,
            ),
        )
        for way in ways:
            assert b'"value":1.50' in way().content


class TestWhatIsNoPatch:
    @pytest.mark.parametrize(
        ("body", "media", "status"),
        [
            (b"{}", "application/json", 400),
            (b"[]", "text/plain", 415),
            (b"[]", "", 415),
            (b"{}", JSON_PATCH, 400),
            (b"", JSON_PATCH, 400),
            (b"[", JSON_PATCH, 400),
            (b"[5]", JSON_PATCH, 400),
            (b'[{"op":"spam","path":"/x"}]', JSON_PATCH, 400),
            (b'[{"op":"test","path":"/gender","value":"female"}]', JSON_PATCH, 422),
            (b'[{"op":"remove","path":"/nothing"}]', JSON_PATCH, 422),
            (b'[{"op":"remove","path":""}]', JSON_PATCH, 400),
            (b'[{"op":"replace","path":"","value":5}]', JSON_PATCH, 400),
            (b"<x/>", XML_PATCH, 400),
            (b"<x", XML_PATCH, 400),
            (b"<!DOCTYPE x><x/>", XML_PATCH, 400),
            (b'<x><remove sel="//*"/></x>', XML_PATCH, 400),
            (b'<x><remove sel="Patient/count(x)"/></x>', XML_PATCH, 400),
            (b'<x><remove sel="Patient/nothing"/></x>', XML_PATCH, 422),
            (b'<x><remove sel="Patient"/></x>', XML_PATCH, 422),
            (b'{"resourceType":"Patient"}', "application/fhir+json", 400),
            (b'{"resourceType":"Parameters","parameter":[5]}', "application/fhir+json", 400),
        ],
    )
    def test_it_is_refused_and_nothing_is_stored(
        self, application: Application, operator: Caller, body: bytes, media: str, status: int
    ) -> None:
        id = operator.create(patient(gender="male"))
        before = application.counts()
        answer = operator.call("PATCH", f"Patient/{id}", body, {"Content-Type": media})
        assert answer.status == status
        assert answer.issue
        assert application.counts() == before

    def test_conditions_that_are_not_carried_out_are_named(self, operator: Caller) -> None:
        id = operator.create(patient(gender="male"))
        assert by_json(operator, f"Patient/{id}", If_None_Match="*").status == 400
        assert by_json(operator, f"Patient/{id}?x=1").status == 400

    def test_copies_without_end_are_refused(self) -> None:
        grow = [{"op": "copy", "from": "", "path": "/x/-"}] * 60
        with pytest.raises(FhirError):
            json_patch({"x": [1, 2, 3]}, grow)

    @pytest.mark.parametrize("path", ["x", "/~", "/~2", "/a/01", "/a/-1", "/a/9", "/a/1e0", "/a/-"])
    def test_a_pointer_is_read_strictly(self, path: str) -> None:
        with pytest.raises((BadRequest, Unprocessable)):
            json_patch({"a": [1]}, [{"op": "remove", "path": path}])

    def test_truth_is_no_number(self) -> None:
        for one, other in ((True, 1), (False, 0), (1, True), ([1], [True])):
            with pytest.raises(Unprocessable):
                json_patch({"a": one}, [{"op": "test", "path": "/a", "value": other}])
        assert json_patch(jsontext.parse(b'{"a":1.0}'), [{"op": "test", "path": "/a", "value": 1}])


class TestFhirpathPatch:
    DEFS = Definitions.core()

    def apply(self, resource: dict[str, Any], *operations: dict[str, Any]) -> dict[str, Any]:
        return fhirpath_patch(resource, parameters(*operations), self.DEFS)

    def test_a_choice_changes_its_type(self) -> None:
        seen = observation(valueString="x")
        after = self.apply(seen, {"type": "replace", "path": "Observation.value", "value": {"valueInteger": 3}})
        assert (after.get("valueString"), after["valueInteger"]) == (None, 3)
        with pytest.raises(Unprocessable):
            self.apply(seen, {"type": "add", "path": "Observation", "name": "value", "value": {"valueInteger": 3}})

    def test_a_primitive_in_a_list_is_found_by_its_value_and_keeps_the_extensions_of_the_others(self) -> None:
        who = patient(name=[{"given": ["a", "b", "a"], "_given": [None, {"id": "x"}, {"id": "y"}]}])
        after = self.apply(who, {"type": "delete", "path": "Patient.name.given.where($this = 'b')"})
        assert after["name"] == [{"given": ["a", "a"], "_given": [None, {"id": "y"}]}]
        after = self.apply(
            who, {"type": "insert", "path": "Patient.name[0].given", "index": {"valueInteger": 0}, "value": "z"}
        )
        assert after["name"] == [{"given": ["z", "a", "b", "a"], "_given": [None, None, {"id": "x"}, {"id": "y"}]}]

    def test_a_list_begins_by_an_insert(self) -> None:
        name = {"valueHumanName": {"family": "Ravel"}}
        insert = {"type": "insert", "path": "Patient.name", "index": {"valueInteger": 0}, "value": name}
        assert self.apply(patient(), insert)["name"] == [{"family": "Ravel"}]

    def test_several_elements_are_not_meant_at_once(self) -> None:
        who = patient(name=[{"family": "a"}, {"family": "b"}])
        for operation in (
            {"type": "delete", "path": "Patient.name"},
            {"type": "replace", "path": "Patient.name.family", "value": "x"},
        ):
            with pytest.raises(Unprocessable):
                self.apply(who, operation)

    def test_an_element_that_the_type_does_not_have_is_refused(self) -> None:
        with pytest.raises(Unprocessable):
            self.apply(patient(), {"type": "add", "path": "Patient", "name": "colour", "value": "red"})
        with pytest.raises(Unprocessable):
            self.apply(patient(), {"type": "replace", "path": "1 + 1", "value": "x"})
        with pytest.raises(Unprocessable):
            self.apply(patient(), {"type": "replace", "path": "Patient.name.where(", "value": "x"})

    def test_contained_resources_are_patched(self) -> None:
        seen = observation(contained=[{"resourceType": "Patient", "id": "p", "gender": "male"}])
        after = self.apply(
            seen, {"type": "replace", "path": "Observation.contained[0].gender", "value": {"valueCode": "other"}}
        )
        assert after["contained"][0]["gender"] == "other"


def test_an_xml_patch_finds_by_values_and_keeps_the_order_of_elements() -> None:
    who = patient(
        identifier=[{"system": "urn:a", "value": "1"}, {"system": "urn:b", "value": "2"}], birthDate="2000-01-01"
    )
    body = (
        f'<diff {FHIR} xmlns:p="http://hl7.org/fhir">'
        "<replace sel=\"Patient/p:identifier[system/@value='urn:b']/value/@value\">3</replace>"
        '<add sel="Patient/birthDate" pos="before"><gender value="other"/></add>'
        '<remove sel="Patient/identifier[1]"/></diff>'
    )
    after = xml_patch(who, body.encode(), Definitions.core())
    assert after["identifier"] == [{"system": "urn:b", "value": "3"}]
    assert (after["gender"], after["birthDate"]) == ("other", "2000-01-01")
    wrong = f'<diff {FHIR}><add sel="Patient/birthDate" pos="after"><gender value="other"/></add></diff>'
    with pytest.raises(Unprocessable):
        xml_patch(who, wrong.encode(), Definitions.core())


class TestInBundles:
    def entry(self, id: str, resource: Any, **request: Any) -> dict[str, Any]:
        return {"resource": resource, **ask("PATCH", f"Patient/{id}", **request)}

    @pytest.mark.parametrize("kind", ["batch", "transaction"])
    def test_a_patch_is_parameters_or_a_binary(self, operator: Caller, kind: str) -> None:
        ids = [operator.create(patient(gender="male")) for _ in range(3)]
        content = base64.b64encode(jsontext.dump([replace("/gender", "other")])).decode()
        binary = {"resourceType": "Binary", "contentType": JSON_PATCH, "data": content}
        entries = [
            self.entry(ids[0], set_gender("other")),
            self.entry(ids[1], binary, ifMatch='W/"1"'),
            self.entry(ids[2], binary, ifMatch='W/"2"'),
        ]
        bundle = {"resourceType": "Bundle", "type": kind, "entry": entries}
        answer = operator.post("", bundle)
        if kind == "transaction":
            assert answer.status == 412
            answer = operator.post("", bundle | {"entry": entries[:2]})
        statuses = [each["response"]["status"][:3] for each in answer.json["entry"]]
        assert statuses == (["200", "200", "412"] if kind == "batch" else ["200", "200"])
        assert [operator.get(f"Patient/{id}").json["gender"] for id in ids] == ["other", "other", "male"]

    def test_what_is_no_patch_undoes_the_transaction(self, application: Application, operator: Caller) -> None:
        id = operator.create(patient(gender="male"))
        before = application.counts()
        for resource in (
            patient(),
            {"resourceType": "Binary", "contentType": JSON_PATCH, "data": "*"},
            set_gender("m"),
        ):
            assert operator.transact(self.entry(id, resource)).status in (400, 422)
        assert application.counts() == before

    def test_a_patch_may_refer_to_what_the_bundle_makes(self, operator: Caller) -> None:
        url = f"urn:uuid:{uuid.uuid4()}"
        id = operator.create(patient())
        add = parameters(
            {
                "type": "add",
                "path": "Patient",
                "name": "managingOrganization",
                "value": {"valueReference": reference(url)},
            }
        )
        made = {"fullUrl": url, "resource": {"resourceType": "Organization", "name": "H"}}
        made["request"] = {"method": "POST", "url": "Organization"}
        answer = operator.transact(self.entry(id, add), made)
        location = answer.json["entry"][1]["response"]["location"].partition("/_history")[0]
        assert operator.get(f"Patient/{id}").json["managingOrganization"] == {"reference": location}


def test_the_expressions_of_a_patch_share_one_limit_of_time(monkeypatch: pytest.MonkeyPatch) -> None:
    module = importlib.import_module("fhirserver.rest.patching.fhirpath_patch")
    ticks = iter(range(0, 1000, 2))
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: next(ticks)))
    operation = {"type": "delete", "path": "Patient.photo"}
    before = {"resourceType": "Patient", "id": "p"}
    assert fhirpath_patch(before, parameters(operation, operation), Definitions.core()) == before
    with pytest.raises(Unprocessable) as refused:
        fhirpath_patch(before, parameters(operation, operation, operation), Definitions.core())
    assert refused.value.issues[0].text.startswith("Operation 2: ")
    assert refused.value.issues[0].code == "too-costly"
