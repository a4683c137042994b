"""Whatever is sent: an OperationOutcome in JSON that says what is wrong, nothing stored, nothing told of the inside."""

from __future__ import annotations

import json
from io import BytesIO
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.records import ask, consent, document, observation, patient, post, put

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.application import Answer, Application, Caller

INSIDE = ("Traceback", 'File "', ".py", "werkzeug", "pymongo", "<html", "<!doctype")
campaign = settings(
    max_examples=120,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@pytest.fixture(scope="module")
def operator(application: Application) -> Caller:
    return application.operator()


@pytest.fixture(scope="module")
def stored(operator: Caller) -> str:
    return operator.create(patient())


@pytest.fixture
def untouched(application: Application, stored: str) -> Iterator[None]:
    """Holds that the test stores nothing."""
    before = application.counts()
    yield
    assert application.counts() == before


def chunked(body: BytesIO) -> dict[str, Any]:
    """What a WSGI server gives for a body that is sent in chunks."""
    return {
        "CONTENT_LENGTH": "",
        "HTTP_TRANSFER_ENCODING": "chunked",
        "wsgi.input_terminated": True,
        "wsgi.input": body,
    }


def refused(answer: Answer, status: int) -> None:
    assert answer.status == status, answer
    assert answer.headers["content-type"] == "application/fhir+json; charset=utf-8"
    assert answer.json["resourceType"] == "OperationOutcome"
    for issue in answer.json["issue"]:
        assert issue["severity"] in ("error", "fatal", "warning", "information")
        assert issue["diagnostics"]
    assert not any(word in answer.content.decode() for word in INSIDE), answer


BODIES = {
    "empty": (b"", 400),
    "blank": (b" \n", 400),
    "truncated": (b'{"resourceType":"Patient","active":tr', 400),
    "trailing": (b'{"resourceType":"Patient"}}', 400),
    "two objects": (b'{"resourceType":"Patient"}{"resourceType":"Patient"}', 400),
    "trailing comma": (b'{"resourceType":"Patient",}', 400),
    "single quotes": (b"{'resourceType':'Patient'}", 400),
    "comment": (b'{"resourceType":"Patient"/* x */}', 400),
    "latin 1": ('{"resourceType":"Patient","name":[{"family":"Léa"}]}'.encode("latin-1"), 400),
    "utf-16": ('{"resourceType":"Patient"}'.encode("utf-16"), 400),
    "overlong utf-8": (b'{"resourceType":"Patient","name":[{"family":"\xc0\xaf"}]}', 400),
    "surrogate in utf-8": (b'{"resourceType":"Patient","name":[{"family":"\xed\xa0\x80"}]}', 400),
    "lone escaped surrogate": (b'{"resourceType":"Patient","name":[{"family":"\\ud800"}]}', 400),
    "control character": (b'{"resourceType":"Patient","name":[{"family":"a\x01b"}]}', 400),
    "duplicate key": (b'{"resourceType":"Patient","active":true,"active":false}', 400),
    "duplicate key below": (b'{"resourceType":"Patient","name":[{"family":"a","family":"b"}]}', 400),
    "duplicate key by escape": (b'{"resourceType":"Patient","active":true,"acti\\u0076e":false}', 400),
    "NaN": (b'{"resourceType":"Patient","multipleBirthInteger":NaN}', 400),
    "Infinity": (b'{"resourceType":"Patient","multipleBirthInteger":-Infinity}', 400),
    "200 objects deep": (b'{"a":' * 200 + b"1" + b"}" * 200, 400),
    "200 arrays deep": (b'{"resourceType":' + b"[" * 200 + b"]" * 200 + b"}", 400),
    "bottomless": (b"[" * 1_000_000, 400),
    "bottomless objects": (b'{"a":' * 200_000, 400),
    "number beyond measure": (b'{"resourceType":"Patient","multipleBirthInteger":' + b"9" * 10_000 + b"}", 400),
    "exponent beyond measure": (b'{"resourceType":"Patient","multipleBirthInteger":1e99999999999999999999}', 400),
    "array": (b"[]", 400),
    "null": (b"null", 400),
    "text": (b'"Patient"', 400),
    "number": (b"1", 400),
    "xml": (b'<Patient xmlns="http://hl7.org/fhir"/>', 400),
    "no resourceType": (b"{}", 400),
    "resourceType of another type": (b'{"resourceType":"Observation"}', 400),
    "unknown resourceType": (b'{"resourceType":"Patients"}', 400),
    "resourceType null": (b'{"resourceType":null}', 400),
    "resourceType list": (b'{"resourceType":["Patient"]}', 400),
    "resourceType object": (b'{"resourceType":{}}', 400),
    "abstract resourceType": (b'{"resourceType":"DomainResource"}', 400),
    "NUL in text": (b'{"resourceType":"Patient","name":[{"family":"a\\u0000b"}]}', 422),
    "unknown element": (b'{"resourceType":"Patient","nom":"x"}', 422),
    "operator as element": (b'{"resourceType":"Patient","$where":"1"}', 422),
    "dotted element": (b'{"resourceType":"Patient","name.family":"x"}', 422),
    "empty key": (b'{"resourceType":"Patient","":"x"}', 422),
    "empty array": (b'{"resourceType":"Patient","name":[]}', 422),
    "null element": (b'{"resourceType":"Patient","name":null}', 422),
    "empty object": (b'{"resourceType":"Patient","name":[{}]}', 422),
    "prototype": (b'{"resourceType":"Patient","__proto__":{"a":1}}', 422),
    "meta is a text": (b'{"resourceType":"Patient","meta":"x"}', 422),
    "meta is a list": (b'{"resourceType":"Patient","meta":[{}]}', 422),
    "id is a number": (b'{"resourceType":"Patient","id":5}', 422),
    "id is no id": (b'{"resourceType":"Patient","id":"a b"}', 422),
    "security is a number": (b'{"resourceType":"Patient","meta":{"security":5}}', 422),
}  # fmt: skip


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.usefixtures("untouched")
def test_a_body_that_is_no_conforming_resource_is_refused(operator: Caller, stored: str, name: str) -> None:
    body, status = BODIES[name]
    refused(operator.post("Patient", body), status)
    put_ = operator.put(f"Patient/{stored}", body)
    assert put_.status in (400, 422)
    refused(put_, put_.status)
    whole = operator.post("", b'{"resourceType":"Bundle","type":"transaction","entry":[{"resource":' + body + b"}]}")
    assert whole.status in (400, 422)


def test_a_byte_order_mark_is_no_error(operator: Caller) -> None:
    assert operator.post("Patient", b'\xef\xbb\xbf{"resourceType":"Patient"}').status == 201


@pytest.mark.usefixtures("untouched")
def test_faults_say_where_they_are(operator: Caller) -> None:
    answer = operator.post("Patient", b'{"resourceType":"Patient",\n "active":tru}')
    assert "line 2" in answer.told
    answer = operator.post("Patient", b'{"resourceType":"Patient","active":true,"active":false}')
    assert "'active'" in answer.told


@pytest.mark.usefixtures("untouched")
def test_what_was_sent_is_repeated_at_no_great_length(operator: Caller) -> None:
    long = b"x" * 1_000_000
    starts = (b'{"resourceType":"', b'{"resourceType":"Patient","gender":"', b'{"resourceType":"Patient","x":"')
    for body in (start + long + b'"}' for start in starts):
        assert len(operator.post("Patient", body).content) < 20_000


@pytest.mark.usefixtures("untouched")
class TestSize:
    def test_a_body_of_30_megabytes_is_too_large(self, operator: Caller) -> None:
        body = b'{"resourceType":"Patient","a":"' + b"x" * 30_000_000 + b'"}'
        refused(operator.post("Patient", body), 413)
        refused(operator.post("", body), 413)

    def test_so_it_is_in_chunks_without_a_length(self, operator: Caller) -> None:
        body = BytesIO(b'{"resourceType":"Patient","a":"' + b"x" * 30_000_000 + b'"}')
        refused(operator.call("POST", "Patient", b"", **chunked(body)), 413)
        assert body.tell() <= 20_000_001 + (1 << 16)

    def test_the_limit_is_a_setting(self, application: Application) -> None:
        small = application.under(max_body_bytes=100).operator()
        refused(small.post("Patient", patient(name=[{"family": "x" * 100}])), 413)

    def test_a_form_beyond_measure_is_not_taken_apart(self, operator: Caller) -> None:
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        refused(operator.call("POST", "Patient/_search", b"a=&" * 200_000, form), 413)
        endless = BytesIO(b"a=&" * 1_000_000)
        refused(operator.call("POST", "Patient/_search", b"", form, **chunked(endless)), 413)

    def test_a_form_that_is_no_utf_8_is_refused(self, operator: Caller) -> None:
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        refused(operator.call("POST", "Patient/_search", b"family=\xff\xfe", form), 400)

    @pytest.mark.parametrize("length", ["5", "500", "-1", "many", ""])
    def test_a_length_that_lies_stores_nothing(self, operator: Caller, length: str) -> None:
        refused(operator.call("POST", "Patient", patient(), CONTENT_LENGTH=length), 400)


@pytest.mark.usefixtures("untouched")
class TestMediaTypes:
    @pytest.mark.parametrize(
        "media",
        ["", "text/plain", "text/html", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
         "application/fhir+turtle", "application/json-patch+json", "application/fhir+json; charset=latin-1",
         "application/fhir+json; charset=utf-16", "application/fhir+json; fhirVersion=3.0", "json", ";", "/", "é"],
    )  # fmt: skip
    def test_a_body_of_another_media_type_is_refused(self, operator: Caller, stored: str, media: str) -> None:
        refused(operator.call("POST", "Patient", patient(), {"Content-Type": media}), 415)
        refused(operator.call("PUT", f"Patient/{stored}", patient(id=stored), {"Content-Type": media}), 415)
        bundle = {"resourceType": "Bundle", "type": "transaction", "entry": [post(patient())]}
        refused(operator.call("POST", "", bundle, {"Content-Type": media}), 415)

    @pytest.mark.parametrize(
        "accept",
        ["text/html", "application/fhir+turtle", "image/*", "application/fhir+json;q=0", "x", "/",
         "application/fhir+json; fhirVersion=5.0", "a;;;q=é", "*/*;q=0"],
    )  # fmt: skip
    def test_an_answer_in_another_media_type_is_refused(self, operator: Caller, stored: str, accept: str) -> None:
        refused(operator.get(f"Patient/{stored}", Accept=accept), 406)
        refused(operator.get("Patient", Accept=accept), 406)
        refused(operator.post("Patient", patient(), Accept=accept), 406)

    @pytest.mark.parametrize("format_", ["html", "text/html", "ttl", "jsonx", "%00", "application/pdf"])
    def test_so_it_is_by_the_format_parameter(self, operator: Caller, stored: str, format_: str) -> None:
        refused(operator.get(f"Patient/{stored}?_format={format_}"), 406)
        refused(operator.get(f"Patient?_format={format_}"), 406)


@pytest.mark.usefixtures("untouched")
class TestPaths:
    @pytest.mark.parametrize(
        "id",
        ["a" * 65, "a_b", "%00", "a%00b", "%ff", "%C3%A9", "a%20b", "a%0Ab", "{}", "a'b", "%22",
         "x%5C", "_search", "a%3Bb", "*", "~"],
    )  # fmt: skip
    def test_an_id_outside_the_pattern_is_refused(self, operator: Caller, id: str) -> None:
        refused(operator.get(f"Patient/{id}"), 400)
        refused(operator.delete(f"Patient/{id}"), 400)
        refused(operator.put(f"Patient/{id}", patient(id=id)), 400)
        refused(operator.get(f"Patient/{id}/_history"), 400)
        refused(operator.get(f"Patient/{id}/_history/1"), 400)

    @pytest.mark.parametrize(
        "path",
        ["nope/nope/nope", "Patient/x/y/z", "../metadata", "../../etc/passwd", "Patient/../metadata",
         "%2e%2e/metadata", "/Patient", "Patient//x", "//", "Patient/a%2Fb/c", ".git/config", "Patient/x/_history/1/2",
         "Patient/x/$everything", "$nothing", "Patients", "patient", "PATIENT", "Resource", "DomainResource",
         "Patient%00", "Group/x/Observation", "Group/x/$nothing", "%FF", "é"],
    )  # fmt: skip
    def test_what_is_nowhere_is_not_found(self, operator: Caller, path: str) -> None:
        refused(operator.get(path), 404)

    @pytest.mark.parametrize("path", ["Patients", "metadata", "Resource", ".well-known", "a_b"])
    def test_a_type_that_is_none_takes_no_resource(self, operator: Caller, path: str) -> None:
        refused(operator.post(path, patient()), 404)
        refused(operator.put(f"{path}/x", patient(id="x")), 404)
        refused(operator.call("POST", f"{path}/_search"), 404)

    @pytest.mark.parametrize(
        ("method", "path"),
        [("PATCH", "Patient/x/_history/1"), ("POST", "Patient/x"), ("PUT", ""),
         ("GET", "Patient/_search"), ("TRACE", "Patient"), ("OPTIONS", "Patient"), ("CONNECT", "Patient"),
         ("PROPFIND", "Patient"), ("X" * 100, "Patient"), ("DELETE", "Patient/x/_history"),
         ("PUT", "Patient/x/_history/1")],
    )  # fmt: skip
    def test_a_method_that_is_not_offered_is_refused(self, operator: Caller, method: str, path: str) -> None:
        answer = operator.call(method, path, patient() if method in ("PUT", "POST") else None)
        assert answer.status in (400, 404, 405)
        refused(answer, answer.status)
        assert answer.status != 405 or answer.headers["allow"]

    def test_errors_outside_the_base_are_told_alike(self, application: Application) -> None:
        client = application.app.test_client()
        for path in ("/nope", "/fhirs", "/docs/nope", "/favicon.ico", "/../etc/passwd"):
            answer = client.get(path)
            assert answer.status_code == 404
            assert answer.json is not None
            assert answer.json["resourceType"] == "OperationOutcome"


@pytest.mark.usefixtures("untouched")
class TestQueries:
    @pytest.mark.parametrize(
        "query",
        ["name=%00", "%00=x", "=x", "name", "name=&name=x", "_page=x", "_page=", "_page=%00", "_page=é&_page=x",
         "name[$ne]=x", "_sort=", "_sort=-", "_sort=,", "_count=%D9%A1", "_count=1e3", "_id=", "_id=,", "_total=",
         "birthdate=%00", "birthdate=ge", "birthdate=9999999-01-01", "birthdate=0000", "identifier=|",
         "identifier=a|b|c",
         "_lastUpdated=99999-01-01", "gender:missing=maybe", "name:exact:exact=x", "name:=x", ":=x", "a.b.c.d=x",
         "_elements=", "_summary=", "organization=%2F%2F%2F"],
    )  # fmt: skip
    def test_a_query_that_means_nothing_is_refused(self, operator: Caller, query: str) -> None:
        refused(operator.get(f"Patient?{query}"), 400)

    def test_a_query_of_any_length_is_answered(self, operator: Caller) -> None:
        refused(operator.get("Patient?" + "name=x&" * 20_000), 400)
        refused(operator.get("Patient?name=" + "%C3%A9" * 20_000), 400)
        refused(operator.get("Patient?" + "x" * 200_000), 400)

    @pytest.mark.no_cover
    @campaign
    @given(query=st.text(max_size=60))
    def test_no_query_is_a_fault(self, operator: Caller, query: str) -> None:
        answer = operator.call("GET", "Patient?" + query.replace("#", "%23"))
        assert answer.status in (200, 400, 406), answer

    @pytest.mark.no_cover
    @campaign
    @given(st.data())
    def test_no_value_of_a_parameter_is_a_fault(self, operator: Caller, data: st.DataObject) -> None:
        names = ["_id", "_lastUpdated", "_count", "_sort", "_total", "_tag", "birthdate", "family", "identifier",
                 "general-practitioner", "address", "active", "_page", "_source", "_profile", "death-date"]  # fmt: skip
        name = data.draw(st.sampled_from(names))
        modifier = data.draw(
            st.sampled_from(["", ":missing", ":exact", ":not", ":of-type", ":Practitioner", ":text", ":"])
        )
        pieces = ["ge", "2024", "-01", "T", "|", ",", "\\", "$", "/", "a", "é", "\u0000", "Patient/", "true", "9" * 40,
                  "1e5",
                  "+", "%", ":", " ", "http://x", "\ud7ff", "￿"]  # fmt: skip
        value = "".join(data.draw(st.lists(st.sampled_from(pieces), max_size=5)))
        answer = operator.call("GET", "Patient", query=[(name + modifier, value)])
        assert answer.status in (200, 400), answer


@pytest.mark.usefixtures("untouched")
class TestBundles:
    @pytest.mark.parametrize(
        "entry",
        [None, "x", 5, {}, True, [None], ["x"], [5], [[]], [{}], [{"resource": patient()}], [{"request": None}],
         [{"request": 5}], [{"request": []}], [{"request": {}}], [{"request": {"method": "POST"}}],
         [ask("POST", "Patient")], [{"request": {"method": 5, "url": "Patient"}, "resource": patient()}],
         [{"request": {"method": ["POST"], "url": "Patient"}, "resource": patient()}],
         [{"request": {"method": {}, "url": "Patient"}, "resource": patient()}],
         [{"request": {"method": "post", "url": "Patient"}, "resource": patient()}],
         [{"request": {"method": "POST", "url": 5}, "resource": patient()}],
         [{"request": {"method": "POST", "url": None}, "resource": patient()}],
         [{"request": {"method": "POST", "url": ["Patient"]}, "resource": patient()}],
         [{"request": {"method": "POST", "url": ""}, "resource": patient()}],
         [{"request": {"method": "POST", "url": "Patient/x"}, "resource": patient()}],
         [{"request": {"method": "POST", "url": "http://elsewhere/fhir/Patient"}, "resource": patient()}],
         [{"request": {"method": "POST", "url": "../Patient"}, "resource": patient()}],
         [{"request": {"method": "POST", "url": "Patient\u0000"}, "resource": patient()}],
         [{"request": {"method": "PUT", "url": "Patient/a_b"}, "resource": patient(id="a_b")}],
         [{"request": {"method": "PUT", "url": "Patient?identifiers=x"}, "resource": patient(id="x")}],
         [{"request": {"method": "PUT", "url": "Patient/x?identifier=x"}, "resource": patient(id="x")}],
         [{"request": {"method": "DELETE", "url": "Patient?"}}],
         [{"request": {"method": "DELETE", "url": "Patient?_count=1"}}],
         [{"request": {"method": "DELETE", "url": "Patient"}}], [{"request": {"method": "GET", "url": "metadatas"}}],
         [{"request": {"method": "GET", "url": "Patient/x/_history/1"}}],
         [post(patient()) | {"resource": None}], [post(patient()) | {"resource": []}],
         [post(patient()) | {"resource": "x"}], [post(patient()) | {"resource": {}}],
         [post(patient()) | {"resource": {"resourceType": ["Patient"]}}], [post(patient()) | {"fullUrl": ["x"]}],
         [post(patient()) | {"fullUrl": 5}], [post(patient()) | {"fullUrl": {}}],
         [put(patient(id="x")) | {"request": {"method": "PUT", "url": "Patient/x", "ifMatch": 5}}],
         [put(patient(id="x")) | {"request": {"method": "PUT", "url": "Patient/x", "ifMatch": None}}],
         [put(patient(id="x")) | {"request": {"method": "PUT", "url": "Patient/x", "ifMatch": {}}}],
         [put(patient(id="x"), "x")], [put(patient(id="x")) | {"response": 5}], [post(patient()) | {"link": "x"}],
         [post(patient(name=5))], [post(patient(contained=[{"resourceType": {}}]))], [post(patient(text={"div": 5}))],
         [post(observation(subject={"reference": 5}))], [post(observation(subject={"reference": ["urn:uuid:x"]}))],
         [post(observation(subject="Patient/x"))], [post(consent("x", "deny", actor=[5]))],
         [ask("GET", "Patient/x", ifNoneMatch=5)], [ask("DELETE", "Patient/x", ifMatch=[])]],
    )  # fmt: skip
    def test_an_entry_that_is_none_is_refused(self, operator: Caller, entry: object) -> None:
        answer = operator.post("", {"resourceType": "Bundle", "type": "transaction", "entry": entry})
        assert 400 <= answer.status < 500, answer
        refused(answer, answer.status)

    def test_ten_thousand_entries_of_which_the_last_is_wrong_store_nothing(self, operator: Caller) -> None:
        entries = [post(observation())] * 10_000
        refused(operator.transact(*entries, {}), 400)
        refused(operator.transact(*([{}] * 10_000)), 400)

    @pytest.mark.no_cover
    @campaign
    @given(st.data())
    def test_no_bundle_is_a_fault(self, operator: Caller, data: st.DataObject) -> None:
        entries = [put(patient(id="z"), 'W/"7"'), ask("GET", "Patient/z"), post(observation("z"), "urn:uuid:z")]
        bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
        mutated = mutate(bundle, data)
        answer = operator.post("", encoded(mutated))
        assert answer.status < 500, (mutated, answer)
        if answer.status < 300:  # what had been 412 is stored when its condition was taken off: put the store back
            undo(operator, answer)


RESOURCES = [
    patient(id="x", name=[{"family": "x", "given": ["a"]}], birthDate="1985-05-14", meta={"tag": [{"code": "x"}]}),
    observation("x", id="x", effectiveDateTime="2024-05-01", valueQuantity={"value": 1.5, "code": "kg"}),
    document("x", labels=("N",), id="x", date="2026-01-15T09:30:00Z"),
    consent("x", "deny", "Practitioner/x", purpose=[{"system": "urn:x", "code": "TREAT"}], period={"start": "2024"}),
    {"resourceType": "CareTeam", "status": "active", "participant": [{"member": {"reference": "Practitioner/x"}}]},
    {"resourceType": "Practitioner", "identifier": [{"system": "https://rpps.esante.gouv.fr", "value": "10000000018"}]},
    {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": {"resourceType": "Patient"}}]},
]


HEADER_PIECES = ['W/"1"', '"', ",", ";", "=", "q", "*/*", "return", "minimal", "Sun, 01 Jan 2023 00:00:00", "GMT", "99",
                 "-", "application/fhir+json", "fhirVersion", "Bearer ", "a.b.c"]  # fmt: skip


class TestResources:
    @pytest.mark.no_cover
    @settings(campaign, max_examples=250)
    @given(st.data())
    def test_no_resource_is_a_fault(self, operator: Caller, data: st.DataObject) -> None:
        """A valid resource with one value replaced: stored or refused; what is stored is read back and found."""
        resource = mutate(data.draw(st.sampled_from(RESOURCES)), data)
        type_ = resource["resourceType"] if isinstance(resource.get("resourceType"), str) else "Patient"
        path = type_ if type_.isalpha() and type_.isascii() else "Patient"
        answer = operator.post(path, encoded(resource))
        assert answer.status < 500, (resource, answer)
        if answer.status == 201:
            assert operator.get(f"{path}/{answer.id}").content == answer.content
            assert operator.search(path, _id=answer.id).ids == [answer.id]
            if path != "DocumentReference":  # never deleted
                assert operator.delete(f"{path}/{answer.id}").status == 204

    @pytest.mark.no_cover
    @campaign
    @given(body=st.binary(max_size=80))
    def test_no_bytes_are_a_fault(self, operator: Caller, body: bytes) -> None:
        assert operator.post("Patient", body).status == 400

    @pytest.mark.no_cover
    @campaign
    @given(headers=st.dictionaries(
        st.sampled_from(["Accept", "Prefer", "If-Match", "If-None-Match", "If-Modified-Since", "Accept-Language",
                         "Content-Type", "Authorization", "Range", "X-Forwarded-For", "Accept-Charset", "Cookie"]),
        st.one_of(
            st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=40),
            st.lists(st.sampled_from(HEADER_PIECES), max_size=5).map("".join),
        ),
        max_size=4,
    ))  # fmt: skip
    def test_no_header_is_a_fault(self, operator: Caller, stored: str, headers: dict[str, str]) -> None:
        for answer in (
            operator.call("GET", f"Patient/{stored}", headers=headers),
            operator.call("GET", "Patient/nope", headers=headers),
        ):
            assert answer.status < 500, (headers, answer)
        answer = operator.call("POST", "Patient", {"resourceType": "Observation"}, headers)
        assert 400 <= answer.status < 500, (headers, answer)


def encoded(value: Any) -> bytes:
    """JSON as other clients write it."""
    return json.dumps(value).encode()


def mutate(value: Any, data: st.DataObject) -> Any:
    """A copy in which one or two nodes are replaced by anything."""
    copy = json.loads(json.dumps(value))
    for _ in range(data.draw(st.integers(1, 2))):
        spots = list(nodes(copy))
        parent, key = data.draw(st.sampled_from(spots))
        kind = data.draw(st.integers(0, 4))
        if kind == 0 and isinstance(parent, dict) and len(parent) > 1:
            del parent[key]
        elif kind == 1 and isinstance(parent, dict):
            parent[
                data.draw(st.sampled_from(["extension", "_id", "id", "foo", "", "reference", "$x", "resourceType"]))
            ] = parent[key]
        else:
            parent[key] = data.draw(ANYTHING)
    return copy


OTHER_NAMES = ["extension", "_id", "id", "foo", "", "reference", "$x", "resourceType"]
ANYTHING = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-5, 2**70), st.floats(allow_nan=False, allow_infinity=False),
        st.text(max_size=6),
        st.sampled_from(["", "Patient/x", "urn:uuid:z", "2024-05-01", "0000-00-00", "#x", "a" * 300, "http://x/y|1",
                         "\u0000", "Patient", "deny", "permit", "POST", "Patient?x=y", "patient-privacy",
                         "http://127.0.0.1:8080/fhir/Patient/x"]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["reference", "code", "system", "value", "id", "extension", "coding", "resourceType"]),
            inner, max_size=3),
    ),
    max_leaves=6,
)  # fmt: skip


def nodes(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place in a JSON value, as its container and key."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in list(pairs):
        yield value, key
        yield from nodes(child)


def undo(operator: Caller, answer: Answer) -> None:
    for entry in answer.json.get("entry", []):
        place = entry["response"].get("location", "").partition("/_history/")[0]
        if place:
            operator.delete(place)


def test_a_resource_with_more_search_entries_than_the_database_bears_is_refused(application: Application) -> None:
    me = application.operator().create(patient())
    coding = [{"system": "urn:t", "code": str(number)} for number in range(6000)]
    answer = application.practitioner("10000000001").post("Observation", observation(me) | {"code": {"coding": coding}})
    assert answer.status == 422
    assert answer.issue["code"] == "too-costly"
    assert application.operator().search("Observation", patient=me).total == 0


@pytest.mark.parametrize("path", ["Observation?code=%FF", "Observation?code:not=%C3", "Patient/_history?_since=%FF"])
def test_a_query_that_is_not_utf8_is_refused(operator: Caller, path: str) -> None:
    refused(operator.get(path), 400)
