from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from fhirserver.access import Access
from tests.terminology.build import animals, concept, system, value_set

if TYPE_CHECKING:
    from tests.application import Answer, Application, Caller

GENDER = "http://hl7.org/fhir/administrative-gender"
GENDERS = "http://hl7.org/fhir/ValueSet/administrative-gender"
ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
LETTERS = "urn:test:letters"


@pytest.fixture(scope="module")
def operator(application: Application) -> Caller:
    return application.operator()


@pytest.fixture(scope="module")
def letters(operator: Caller) -> str:
    """The id of a code system that is stored: a > b."""
    return operator.create(system(LETTERS, concept("a", "A", concept("b", "B")), version="1"))


def body(**values: Any) -> dict[str, Any]:
    """Parameters; names with `_` for `-`, values as `(type, value)`, resources as they are."""
    return {
        "resourceType": "Parameters",
        "parameter": [
            {"name": name, f"value{value[0]}": value[1]}
            if isinstance(value, tuple)
            else {"name": name, "resource": value}
            for name, value in values.items()
        ],
    }


def told(answer: Answer) -> dict[str, Any]:
    assert answer.status == 200, answer
    assert answer.json["resourceType"] == "Parameters"
    return {each["name"]: next(v for k, v in each.items() if k != "name") for each in answer.json["parameter"]}


def codes(answer: Answer) -> list[str]:
    assert answer.status == 200, answer
    return [each["code"] for each in answer.json["expansion"].get("contains", [])]


def test_a_value_set_is_expanded_by_get_and_by_post(operator: Caller) -> None:
    by_get = operator.get(f"ValueSet/$expand?url={GENDERS}&filter=male&count=1&offset=0&includeDesignations=true")
    by_post = operator.post(
        "ValueSet/$expand", body(url=("Uri", GENDERS), filter=("String", "male"), count=("Integer", 1))
    )
    assert codes(by_get) == codes(by_post) == ["male"]
    assert by_get.headers["content-type"].startswith("application/fhir+json")


def test_a_value_set_may_come_with_the_question(operator: Caller) -> None:
    given = value_set("urn:test:given", {"system": GENDER, "concept": [{"code": "male"}]})
    assert codes(operator.post("ValueSet/$expand", body(valueSet=given))) == ["male"]
    assert codes(
        operator.post("ValueSet/$expand?filter=fem", {**given, "compose": {"include": [{"system": GENDER}]}})
    ) == ["female"]


def test_a_value_set_that_is_wrong_is_refused(operator: Caller) -> None:
    answer = operator.post(
        "ValueSet/$expand", body(valueSet={"resourceType": "ValueSet", "compose": {"include": [{}]}})
    )
    assert answer.status == 422
    assert "ValueSet" in answer.content.decode()


def test_what_is_stored_is_expanded_as_an_instance_and_by_its_url(operator: Caller, letters: str) -> None:
    id = operator.create(value_set("urn:test:stored", {"system": LETTERS}))
    assert codes(operator.get(f"ValueSet/{id}/$expand")) == ["a", "b"]
    assert codes(operator.post(f"ValueSet/{id}/$expand", body(activeOnly=("Boolean", True)))) == ["a", "b"]
    assert codes(operator.get("ValueSet/$expand?url=urn:test:stored")) == ["a", "b"]
    assert operator.get(f"ValueSet/{id}/$expand?url=urn:test:stored").status == 400


def test_what_is_stored_goes_before_the_packages(applications: Any) -> None:
    with applications() as own:
        operator = own.operator()
        before = codes(operator.get(f"ValueSet/$expand?url={GENDERS}"))
        id = operator.create(system(GENDER, concept("one"), version="9"))
        assert codes(operator.get(f"ValueSet/$expand?url={GENDERS}")) == ["one"]
        operator.delete(f"CodeSystem/{id}")
        assert codes(operator.get(f"ValueSet/$expand?url={GENDERS}")) == before


def test_an_update_is_seen_at_once(operator: Caller) -> None:
    made = system("urn:test:changing", concept("x"))
    id = operator.create(made)
    assert operator.get("CodeSystem/$lookup?system=urn:test:changing&code=y").status == 404
    assert operator.put(f"CodeSystem/{id}", {**made, "id": id, "concept": [concept("y")]}).status == 200
    assert told(operator.get("CodeSystem/$lookup?system=urn:test:changing&code=y"))["display"] == "y"


def test_the_latest_version_answers_unless_one_is_asked_for(operator: Caller) -> None:
    for version in ("2.0", "10.0", "9.0"):
        operator.create(system("urn:test:versions", concept(f"v{version}"), version=version))
    answer = operator.get("CodeSystem/$validate-code?url=urn:test:versions&code=v10.0")
    assert told(answer)["result"] is True
    older = operator.get("CodeSystem/$validate-code?url=urn:test:versions&code=v9.0&version=9.0")
    assert told(older)["result"] is True
    none = operator.get("CodeSystem/$validate-code?url=urn:test:versions&code=v9.0&version=7")
    assert told(none)["x-unknown-system"] == "urn:test:versions|7"


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("ValueSet/$expand", 400, "url"),
        ("ValueSet/$expand?url=urn:none", 404, "urn:none"),
        ("ValueSet/none/$expand", 404, "ValueSet/none"),
        (f"ValueSet/$expand?url={GENDERS}&context=x", 400, "context"),
        (f"ValueSet/$expand?url={GENDERS}&colour=x", 400, "colour"),
        (f"ValueSet/$expand?url={GENDERS}&count=many", 400, "count"),
        (f"ValueSet/$expand?url={GENDERS}&count=-1", 400, "count"),
        (f"ValueSet/$expand?url={GENDERS}&activeOnly=yes", 400, "activeOnly"),
        (f"ValueSet/$expand?url={GENDERS}&url={GENDERS}", 400, "once"),
        (f"ValueSet/$expand?url={GENDERS}&valueSet=x", 400, "POST"),
        (f"ValueSet/$expand?url={GENDERS}&system-version={GENDER}", 400, "system|version"),
        (f"ValueSet/$expand?url={GENDERS}&check-system-version={GENDER}|9", 422, "4.0.1"),
        ("ValueSet/$expand?url=http://hl7.org/fhir/ValueSet/observation-codes", 422, "http://loinc.org"),
        ("ValueSet/$expand?url=http://hl7.org/fhir/ValueSet/ucum-units", 422, "unitsofmeasure"),
        (f"ValueSet/$validate-code?url={GENDERS}&code=male", 400, "system"),
        (f"ValueSet/$validate-code?url={GENDERS}", 400, "codeableConcept"),
        ("CodeSystem/$validate-code?code=male", 400, "url"),
        ("CodeSystem/$lookup?code=x", 400, "system"),
        ("CodeSystem/$lookup?system=http://loinc.org&code=x", 404, "http://loinc.org"),
        (f"CodeSystem/$lookup?system={GENDER}&code=x", 404, "'x'"),
        ("CodeSystem/$subsumes?codeA=a&codeB=b", 400, "system"),
        (f"CodeSystem/$subsumes?system={GENDER}&codeA=male", 400, "codeB"),
        ("ConceptMap/$translate?url=urn:none&code=x&system=urn:y", 404, "urn:none"),
        ("ConceptMap/$translate?code=x", 400, "system"),
        ("ConceptMap/$translate?code=x&system=urn:y&dependency=z", 400, "POST"),
        ("CodeSystem/x/$lookup", 404, "nothing at this path"),
        ("ValueSet/$lookup", 404, "$lookup"),
        ("Patient/$everything", 404, "$everything"),
    ],
)
def test_what_cannot_be_answered_is_named(operator: Caller, path: str, status: int, text: str) -> None:
    answer = operator.get(path)
    assert answer.status == status, answer
    assert text in answer.told


@pytest.mark.parametrize(
    ("sent", "text"),
    [
        ({"resourceType": "Patient"}, "Parameters"),
        ({"resourceType": "Parameters", "parameter": {}}, "array"),
        ({"resourceType": "Parameters", "parameter": [{"name": "url"}]}, "one value"),
        ({"resourceType": "Parameters", "parameter": [7]}, "one value"),
        (body(url=("Boolean", True)), "uri"),
        (body(url=("Uri", 7)), "uri"),
        (body(url=("Uri", GENDERS), count=("String", "1")), "integer"),
        (body(url=("Uri", GENDERS), offset=("Integer", -1)), "negative"),
        (body(url=("Uri", GENDERS), activeOnly=("Boolean", "true")), "boolean"),
        (body(valueSet={"resourceType": "Patient"}), "ValueSet"),
        (body(valueSet=("Uri", "x")), "ValueSet"),
    ],
)
def test_a_body_that_is_not_as_defined_is_refused(operator: Caller, sent: Any, text: str) -> None:
    answer = operator.post("ValueSet/$expand", sent)
    assert answer.status == 400, answer
    assert text in answer.told


def test_a_code_is_held_to_a_value_set(operator: Caller) -> None:
    path = f"ValueSet/$validate-code?url={GENDERS}&system={GENDER}"
    assert told(operator.get(f"{path}&code=male&display=Male"))["result"] is True
    wrong = told(operator.get(f"{path}&code=male&display=Man"))
    assert (wrong["result"], wrong["display"]) == (False, "Male")
    coding = {"system": GENDER, "code": "male"}
    assert told(operator.post("ValueSet/$validate-code", body(url=("Uri", GENDERS), coding=("Coding", coding))))[
        "result"
    ]
    both = {"coding": [{"system": "urn:x", "code": "m"}, coding]}
    concept_ = body(url=("Uri", GENDERS), codeableConcept=("CodeableConcept", both))
    assert told(operator.post("ValueSet/$validate-code", concept_))["result"] is True
    none = body(url=("Uri", GENDERS), codeableConcept=("CodeableConcept", {"text": "m"}))
    assert told(operator.post("ValueSet/$validate-code", none))["result"] is False
    bad = body(url=("Uri", GENDERS), coding=("Coding", {"code": 7}))
    assert operator.post("ValueSet/$validate-code", bad).status == 400


def test_a_code_of_an_unknown_system_is_said_to_be_unknown(operator: Caller) -> None:
    url = "http://hl7.org/fhir/ValueSet/observation-codes"
    answer = told(operator.get(f"ValueSet/$validate-code?url={url}&system=http://loinc.org&code=1-8"))
    assert answer["x-unknown-system"] == "http://loinc.org"
    assert answer["issues"]["issue"][0]["severity"] == "warning"


def test_a_code_is_held_to_a_code_system(operator: Caller, letters: str) -> None:
    path = "CodeSystem/$validate-code"
    assert told(operator.get(f"{path}?url={LETTERS}&code=b"))["display"] == "B"
    assert told(operator.get(f"{path}?url={LETTERS}&code=c"))["result"] is False
    assert told(operator.get(f"CodeSystem/{letters}/$validate-code?code=a"))["result"] is True
    assert told(operator.post(path, body(codeSystem=animals(), code=("Code", "cat"))))["result"] is True
    coding = {"system": "http://unitsofmeasure.org", "code": "mg/dL"}
    assert told(operator.post(path, body(coding=("Coding", coding))))["result"] is True
    other = body(url=("Uri", LETTERS), coding=("Coding", coding))
    assert told(operator.post(path, other))["result"] is False


def test_a_code_is_looked_up(operator: Caller, letters: str) -> None:
    by_get = operator.get(f"CodeSystem/$lookup?system={LETTERS}&code=b&property=parent&property=display")
    by_post = operator.post(
        "CodeSystem/$lookup",
        {
            "resourceType": "Parameters",
            "parameter": [
                {"name": "coding", "valueCoding": {"system": LETTERS, "code": "b"}},
                {"name": "property", "valueCode": "parent"},
            ],
        },
    )
    assert told(by_get)["display"] == "B"
    assert by_get.json == by_post.json
    assert operator.post("CodeSystem/$lookup", body(coding=("Coding", {"code": "b"}))).status == 400


def test_two_codes_are_compared(operator: Caller, letters: str) -> None:
    path = f"CodeSystem/$subsumes?system={ACT}"
    assert told(operator.get(f"{path}&codeA=SUD&codeB=OPIOIDUD")) == {"outcome": "subsumes"}
    assert told(operator.get(f"CodeSystem/{letters}/$subsumes?codeA=b&codeB=a")) == {"outcome": "subsumed-by"}
    a, b = ({"system": LETTERS, "code": code} for code in "ab")
    sent = body(codingA=("Coding", a), codingB=("Coding", b), version=("String", "1"))
    assert told(operator.post("CodeSystem/$subsumes", sent)) == {"outcome": "subsumes"}
    sent = body(codingA=("Coding", {"system": LETTERS}), codingB=("Coding", b))
    assert operator.post("CodeSystem/$subsumes", sent).status == 400


def test_a_code_is_translated(operator: Caller, letters: str) -> None:
    made = {
        "resourceType": "ConceptMap",
        "status": "active",
        "url": "urn:test:greek",
        "group": [
            {
                "source": LETTERS,
                "target": "urn:test:greek-letters",
                "element": [
                    {
                        "code": "a",
                        "target": [
                            {
                                "code": "alpha",
                                "equivalence": "equivalent",
                                "dependsOn": [{"property": "urn:test:case", "value": "small"}],
                            }
                        ],
                    },
                    {"code": "b", "target": [{"code": "beta", "equivalence": "wider"}]},
                ],
            }
        ],
    }
    given = body(conceptMap=made, code=("Code", "b"), system=("Uri", LETTERS))
    assert told(operator.post("ConceptMap/$translate", given))["result"] is True
    id = operator.create(made)
    for path in (f"ConceptMap/{id}/$translate?", "ConceptMap/$translate?url=urn:test:greek&", "ConceptMap/$translate?"):
        answer = operator.get(f"{path}code=b&system={LETTERS}")
        assert told(answer)["result"] is True, path
    back = operator.get("ConceptMap/$translate?code=beta&system=urn:test:greek-letters&reverse=true")
    assert told(back)["match"][0]["valueCode"] == "narrower"
    assert told(operator.get(f"ConceptMap/$translate?code=a&system={LETTERS}"))["result"] is False
    needs = body(code=("Code", "a"), system=("Uri", LETTERS))
    needs["parameter"].append(
        {
            "name": "dependency",
            "part": [
                {"name": "element", "valueUri": "urn:test:case"},
                {"name": "concept", "valueCodeableConcept": {"text": "small", "coding": [{"code": "s"}]}},
            ],
        }
    )
    assert told(operator.post("ConceptMap/$translate", needs))["result"] is True
    nothing = body(codeableConcept=("CodeableConcept", {"text": "a"}))
    assert operator.post("ConceptMap/$translate", nothing).status == 400


def test_any_requester_may_ask_and_nobody_else(application: Application, letters: str) -> None:
    path = f"CodeSystem/$lookup?system={LETTERS}&code=a"
    for caller in (application.patient("p"), application.practitioner("10001112225"), application.system("750000001")):
        assert told(caller.get(path))["display"] == "A"
    assert application.nobody().get(path).status == 401


def test_a_scope_that_does_not_reach_the_stored_system_finds_the_packages_only(
    application: Application, letters: str
) -> None:
    narrow = application.practitioner("10001112225", scopes=("user/Observation.rs",))
    assert narrow.get(f"CodeSystem/$lookup?system={LETTERS}&code=a").status == 404
    assert narrow.get(f"CodeSystem/{letters}/$validate-code?code=a").status == 404
    assert told(narrow.get(f"CodeSystem/$lookup?system={GENDER}&code=male"))["display"] == "Male"


def test_every_operation_is_traced(application: Application, operator: Caller, letters: str) -> None:
    operator.get(f"ValueSet/$expand?url={GENDERS}&filter=secret")
    operator.get(f"CodeSystem/{letters}/$validate-code?code=a")
    operator.get("ValueSet/$expand?url=urn:none")
    traces = list(application.services.store.traces(Access.system("test")))[-3:]
    assert [each["what"] for each in traces] == ["operation"] * 3
    assert [each["status"] for each in traces] == [200, 200, 404]
    assert traces[0]["query"] == f"ValueSet/$expand?url={GENDERS}"
    assert traces[1]["entities"][0] == {"r": f"CodeSystem/{letters}", "v": 1}


def test_a_deleted_value_set_is_gone(operator: Caller) -> None:
    id = operator.create(value_set("urn:test:gone", {"system": GENDER}))
    operator.delete(f"ValueSet/{id}")
    assert operator.get(f"ValueSet/{id}/$expand").status == 410
    assert operator.get("ValueSet/$expand?url=urn:test:gone").status == 404


def test_metadata_lists_the_operations_that_are_offered(operator: Caller) -> None:
    rows = {each["type"]: each["operation"] for each in operator.get("metadata").json["rest"][0]["resource"]}
    names = {type: [each["name"] for each in listed] for type, listed in rows.items()}
    assert {"lookup", "validate-code", "subsumes"} <= set(names["CodeSystem"])
    assert {"expand", "validate-code"} <= set(names["ValueSet"])
    assert "translate" in names["ConceptMap"]
    assert not {"lookup", "expand", "translate"} & set(names["Patient"])
    definition = "http://hl7.org/fhir/OperationDefinition/Resource-validate"
    assert {"name": "validate", "definition": definition} in rows["Patient"]


def test_an_answer_comes_as_xml_when_asked(operator: Caller) -> None:
    answer = operator.get(f"ValueSet/$expand?url={GENDERS}&_format=xml")
    assert answer.status == 200
    assert b"<expansion>" in answer.content
