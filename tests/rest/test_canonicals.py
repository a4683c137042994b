"""Canonicals in chains, `_has` and includes (https://hl7.org/fhir/R4/references.html#canonical)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fhirserver.store import joins
from tests.application import BASE
from tests.records import patient, reference

if TYPE_CHECKING:
    from typing import Any

    from tests.application import Application, Caller

ONE, OTHER = "http://acme.org/q/Pain", "http://acme.org/q/Sleep"


def resources() -> list[dict[str, Any]]:
    form = {"resourceType": "Questionnaire", "status": "active", "url": ONE}
    answers = {"resourceType": "QuestionnaireResponse", "status": "completed", "subject": reference("Patient/p")}
    definition = {"resourceType": "ActivityDefinition", "status": "active", "url": ONE}
    plan = {"resourceType": "CarePlan", "status": "active", "intent": "plan", "subject": reference("Patient/p")}
    return [
        patient(id="p"),
        form | {"id": "q1", "version": "1.0-Beta", "title": "Pain"},
        form | {"id": "q2", "version": "2.0", "title": "Pain, again"},
        form | {"id": "q0", "title": "Pain, without a version"},
        form | {"id": "s", "url": OTHER, "version": "1.0-Beta", "title": "Sleep"},
        definition | {"id": "a", "version": "2.0", "title": "Treat pain"},
        answers | {"id": "r-any", "questionnaire": ONE},
        answers | {"id": "r-1", "questionnaire": f"{ONE}|1.0-Beta"},
        answers | {"id": "r-2", "questionnaire": f"{ONE}|2.0"},
        answers | {"id": "r-3", "questionnaire": f"{ONE}|3.0"},
        answers | {"id": "r-s", "questionnaire": f"{OTHER}|1.0-Beta"},
        answers | {"id": "r-none"},
        plan | {"id": "c", "instantiatesCanonical": [f"{ONE}|2.0", OTHER, "http://acme.org/never"]},
        plan | {"id": "d", "instantiatesCanonical": [f"{ONE}|1.0-Beta", ONE]},
    ]


@pytest.fixture(scope="module")
def operator(application: Application) -> Caller:
    caller = application.operator()
    for each in resources():
        caller.store(each)
    return caller


@pytest.mark.parametrize(
    ("asked", "ids"),
    [
        ("QuestionnaireResponse?questionnaire.title=pain", ["r-1", "r-2", "r-any"]),
        ("QuestionnaireResponse?questionnaire.title=pain again", ["r-2", "r-any"]),
        ("QuestionnaireResponse?questionnaire:Questionnaire.title=pain without", ["r-any"]),
        ("QuestionnaireResponse?questionnaire.title=sleep&patient=p", ["r-s"]),
        ("QuestionnaireResponse?questionnaire.version=1.0-beta", ["r-1", "r-any", "r-s"]),
        ("QuestionnaireResponse?questionnaire.title=nothing", []),
        ("QuestionnaireResponse?questionnaire=http://acme.org/q/Pain", ["r-1", "r-2", "r-3", "r-any"]),
        ("QuestionnaireResponse?questionnaire=http://acme.org/q/Pain|2.0", ["r-2"]),
        ("CarePlan?instantiates-canonical:Questionnaire.title=pain again", ["c", "d"]),
        ("CarePlan?instantiates-canonical:ActivityDefinition.title=treat", ["c", "d"]),
        ("CarePlan?instantiates-canonical.title=sleep", ["c"]),
        ("CarePlan?patient=p&instantiates-canonical.title=pain without", ["d"]),
        ("Questionnaire?_has:QuestionnaireResponse:questionnaire:status=completed", ["q0", "q1", "q2", "s"]),
        ("Questionnaire?_has:QuestionnaireResponse:questionnaire:_id=r-2,r-3", ["q2"]),
        ("Questionnaire?_has:QuestionnaireResponse:questionnaire:_id=r-any&version=2.0", ["q2"]),
        ("ActivityDefinition?_has:CarePlan:instantiates-canonical:_id=c", ["a"]),
        ("Questionnaire?_id=s,q1&_has:CarePlan:instantiates-canonical:_id=c", ["s"]),
    ],
)
@pytest.mark.parametrize("few", [500, 0])
def test_a_canonical_leads_to_what_bears_it(
    operator: Caller, asked: str, ids: list[str], few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(joins, "FEW", few)
    answer = operator.get(f"{asked}&_sort=_id")
    assert answer.ids == ids
    assert answer.total == len(ids)


@pytest.mark.parametrize(
    ("asked", "brought"),
    [
        ("QuestionnaireResponse?_id=r-1&_include=QuestionnaireResponse:questionnaire", ["Questionnaire/q1"]),
        ("QuestionnaireResponse?_id=r-any&_include=QuestionnaireResponse:questionnaire",
         ["Questionnaire/q0", "Questionnaire/q1", "Questionnaire/q2"]),
        ("QuestionnaireResponse?_id=r-3,r-none&_include=QuestionnaireResponse:questionnaire", []),
        ("QuestionnaireResponse?_id=r-s&_include=*", ["Patient/p", "Questionnaire/s"]),
        ("CarePlan?_id=c&_include=CarePlan:instantiates-canonical",
         ["ActivityDefinition/a", "Questionnaire/q2", "Questionnaire/s"]),
        ("CarePlan?_id=c&_include=CarePlan:instantiates-canonical:ActivityDefinition", ["ActivityDefinition/a"]),
        ("Questionnaire?_id=q2&_revinclude=QuestionnaireResponse:questionnaire",
         ["QuestionnaireResponse/r-2", "QuestionnaireResponse/r-any"]),
        (("Questionnaire?_id=q2&_revinclude=QuestionnaireResponse:questionnaire"
          "&_include:iterate=QuestionnaireResponse:subject"),
         ["Patient/p", "QuestionnaireResponse/r-2", "QuestionnaireResponse/r-any"]),
    ],
)  # fmt: skip
def test_a_canonical_is_followed_by_includes(operator: Caller, asked: str, brought: list[str]) -> None:
    entries = operator.get(asked).json["entry"]
    found = [each["fullUrl"].removeprefix(f"{BASE}/") for each in entries if each["search"]["mode"] == "include"]
    assert sorted(found) == brought


def test_an_answer_to_a_form_in_a_record_that_is_hidden_leads_nowhere(application: Application) -> None:
    other = application.patient("other")
    assert other.get("Questionnaire?_has:QuestionnaireResponse:questionnaire:_id=r-2").ids == []
