"""FHIR XML over HTTP (https://hl7.org/fhir/R4/http.html#mime-type): the same resources, errors and pages as in JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from fhirserver import jsontext, xmltext
from fhirserver.spec import Definitions

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.application import Answer, Application, Caller

XML = "application/fhir+xml"
DIV = "<div xmlns=\"http://www.w3.org/1999/xhtml\">  <p class='a'>2 &lt; 3&#160;!</p><br /></div>"
PATIENT = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<Patient xmlns="http://hl7.org/fhir"><text><status value="generated"/>'
    f'{DIV}</text><active value="true"/><name><family value="Lefèvre"/><given id="g" value="Zoé"/></name></Patient>'
)
OBSERVATION = (
    '<Observation xmlns="http://hl7.org/fhir"><status value="final"/><code><text value="poids"/></code>'
    '<valueQuantity><value value="71.50"/><unit value="kg"/></valueQuantity></Observation>'
)


@pytest.fixture(scope="module")
def operator(application: Application) -> Caller:
    return application.operator()


def read(answer: Answer) -> dict[str, Any]:
    """The resource in an answer, which must be FHIR XML."""
    assert answer.headers["content-type"] == f"{XML}; charset=utf-8", answer
    return xmltext.parse(answer.content, Definitions.core())


def posted(operator: Caller, text: str, **headers: str) -> Answer:
    path = text.partition("xmlns")[0].rpartition("<")[2].strip()
    return operator.post(path, text.encode(), **({"Content_Type": XML} | headers))


def test_a_resource_sent_as_xml_is_stored_as_the_json_it_means(operator: Caller) -> None:
    created = posted(operator, PATIENT)
    assert created.status == 201
    assert created.headers["content-type"].startswith("application/fhir+json")
    stored = operator.get(f"Patient/{created.id}").json
    assert stored["text"]["div"] == DIV
    assert stored["active"] is True
    assert stored["name"] == [{"family": "Lefèvre", "given": ["Zoé"], "_given": [{"id": "g"}]}]


def test_a_decimal_keeps_its_digits_from_xml_to_json_and_back(operator: Caller) -> None:
    created = posted(operator, OBSERVATION)
    path = f"Observation/{created.id}"
    assert b'"value":71.50' in operator.get(path).content
    assert b'<value value="71.50"/>' in operator.get(path, Accept=XML).content


@pytest.mark.parametrize("accept", [XML, "application/xml", "text/xml", f"{XML};q=0.9, application/json;q=0.2"])
def test_xml_is_answered_when_it_is_preferred(operator: Caller, accept: str) -> None:
    path = f"Patient/{posted(operator, PATIENT).id}"
    in_json = operator.get(path)
    in_xml = operator.get(path, Accept=accept)
    assert read(in_xml) == jsontext.parse(in_json.content)
    assert (in_xml.headers["etag"], in_xml.headers["last-modified"]) == (
        in_json.headers["etag"],
        in_json.headers["last-modified"],
    )


def test_format_overrules_the_header_and_pretty_lays_out(operator: Caller) -> None:
    path = f"Patient/{posted(operator, PATIENT).id}"
    plain = operator.get(f"{path}?_format=xml", Accept="application/fhir+json")
    pretty = operator.get(f"{path}?_format=xml&_pretty=true")
    assert read(plain) == read(pretty)
    assert b"\n" not in plain.content.replace(DIV.encode(), b"")
    assert b'\n  <active value="true"/>\n' in pretty.content
    assert operator.get(f"{path}?_format=json", Accept=XML).json["active"] is True
    assert b'\n  "active": true' in operator.get(f"{path}?_pretty=true").content


def test_what_was_stored_is_answered_in_xml_to_who_asks_for_it(operator: Caller) -> None:
    created = read(posted(operator, PATIENT, Accept=XML))
    assert created["resourceType"] == "Patient"
    changed = xmltext.dump({**created, "active": False}, Definitions.core())
    updated = operator.put(f"Patient/{created['id']}", changed, Content_Type="text/xml", Accept=XML)
    assert updated.status == 200
    assert read(updated)["active"] is False
    told = posted(operator, PATIENT, Accept=XML, Prefer="return=OperationOutcome")
    assert read(told)["resourceType"] == "OperationOutcome"
    assert posted(operator, PATIENT, Accept=XML, Prefer="return=minimal").content == b""


def test_a_transaction_in_xml_is_answered_in_xml(operator: Caller) -> None:
    inner = OBSERVATION.replace(' xmlns="http://hl7.org/fhir"', "")
    bundle = (
        '<Bundle xmlns="http://hl7.org/fhir"><type value="transaction"/><entry>'
        '<fullUrl value="urn:uuid:6f3f1ad0-5d1b-4a5e-9e0c-1f6d51b5a4f1"/>'
        f'<resource>{inner}</resource><request><method value="POST"/><url value="Observation"/></request>'
        "</entry></Bundle>"
    )
    answer = operator.post("", bundle.encode(), Content_Type=XML, Accept=XML, Prefer="return=representation")
    (entry,) = read(answer)["entry"]
    assert entry["response"]["status"] == "201 Created"
    assert str(entry["resource"]["valueQuantity"]["value"]) == "71.50"


def test_searches_and_histories_are_bundles_in_xml_too(operator: Caller) -> None:
    id = posted(operator, PATIENT).id
    for path in (f"Patient?_id={id}", f"Patient/{id}/_history"):
        assert read(operator.get(path, Accept=XML)) == jsontext.parse(operator.get(path).content)


def test_a_search_by_post_may_say_its_format_in_the_form(operator: Caller) -> None:
    form = {"Content_Type": "application/x-www-form-urlencoded"}
    assert read(operator.post("Patient/_search", b"_format=xml&_count=1", **form))["type"] == "searchset"
    assert operator.post("Patient/_search", b"_format=html", **form).status == 406


def test_errors_are_told_in_the_form_that_was_asked_for(application: Application, operator: Caller) -> None:
    asked = {"Accept": XML}
    refused = {
        401: application.nobody().get("Patient/a", **asked),
        404: operator.get("Patient/absent", **asked),
        400: operator.get("Patient?x=1", **asked),
        415: operator.post("Patient", b"x", Content_Type="text/plain", **asked),
        405: operator.call("LOCK", "Patient/a", None, asked),
    }
    for status, answer in refused.items():
        assert answer.status == status
        assert read(answer)["issue"][0]["severity"] == "error"
    assert read(operator.get("nothing/at/this/path/at/all", **asked))["resourceType"] == "OperationOutcome"
    assert read(operator.get("Patient/absent?_format=xml"))["issue"][0]["code"] == "not-found"


def test_other_media_types_are_refused_in_json(operator: Caller) -> None:
    for path in ("Patient/absent", "metadata"):
        answer = operator.get(path, Accept="text/turtle")
        assert answer.status == 406
        assert XML in answer.issue["diagnostics"]


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (b"<Patient", "well-formed"),
        (b'<!DOCTYPE a [<!ENTITY x "y">]><Patient xmlns="http://hl7.org/fhir"/>', "DOCTYPE"),
        (b'<Patient xmlns="http://hl7.org/fhir"><nom/></Patient>', "Patient.nom"),
        (b'<Observation xmlns="http://hl7.org/fhir"/>', "URL says Patient"),
        (b'{"resourceType":"Patient"}', "well-formed"),
        (b"", "empty"),
    ],
)
def test_a_body_that_is_not_fhir_xml_is_refused_with_the_reason(operator: Caller, body: bytes, word: str) -> None:
    answer = operator.post("Patient", body, Content_Type=XML)
    assert answer.status == 400
    assert word in answer.told


def test_a_resource_sent_as_xml_is_validated(operator: Caller) -> None:
    answer = posted(operator, PATIENT.replace('value="generated"', 'value="made-up"'), Accept=XML)
    assert answer.status == 422
    assert "made-up" in read(answer)["issue"][0]["diagnostics"]


def test_the_body_limit_holds_for_xml(application: Application) -> None:
    answer = application.under(max_body_bytes=100).operator().post("Patient", PATIENT.encode(), Content_Type=XML)
    assert answer.status == 413


def test_what_xml_cannot_carry_is_406_to_a_reader_and_told_in_json_to_a_writer(operator: Caller) -> None:
    name = {"resourceType": "Patient", "name": [{"family": "a\ufffeb"}]}
    created = operator.post("Patient", name, Accept=XML)
    assert created.status == 201
    answer = operator.get(f"Patient/{created.id}", Accept=XML)
    assert answer.status == 406
    assert "U+FFFE" in read(answer)["issue"][0]["diagnostics"]
    assert operator.get(f"Patient/{created.id}").status == 200


def test_metadata_lists_both_formats_and_can_be_had_in_both(application: Application) -> None:
    nobody = application.nobody()
    assert nobody.get("metadata").json["format"] == ["json", "xml"]
    in_json = jsontext.parse(nobody.get("metadata").content)
    assert read(nobody.get("metadata", Accept=XML)) == in_json
    assert read(nobody.get("metadata?_format=xml")) == in_json


def test_the_smart_configuration_is_plain_json_whatever_is_asked(application: Application) -> None:
    answer = application.nobody().get(".well-known/smart-configuration", Accept=XML)
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert "issuer" in answer.json


def test_the_openapi_document_lists_both_media_types(application: Application) -> None:
    document: Any = application.app.test_client().get("/docs/openapi.json").json
    create = document["paths"]["/fhir/{type}"]["post"]
    assert set(create["requestBody"]["content"]) == {"application/fhir+json", XML}
    assert set(create["responses"]["201"]["content"]) == {"application/fhir+json", XML}


def test_a_not_modified_answer_has_no_body(operator: Caller) -> None:
    id = posted(operator, PATIENT).id
    answer = operator.get(f"Patient/{id}", Accept=XML, If_None_Match='W/"1"')
    assert (answer.status, answer.content) == (304, b"")


def test_french_profiles_judge_xml_as_they_judge_json(applications: Callable[..., Any]) -> None:
    wrong = PATIENT.replace("<active", '<meta><profile value="https://example.org/none"/></meta><active')
    with applications("french") as application:
        answer = posted(application.operator(), wrong)
    assert answer.status == 400
    assert "'meta' must come before 'text'" in answer.told
