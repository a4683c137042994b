"""`_text` and `_content` (https://hl7.org/fhir/R4/search.html#content)."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest

from fhirserver.store import joins
from tests.records import observation, organization, patient, practitioner, reference

if TYPE_CHECKING:
    from typing import Any

    from tests.application import Application, Caller


def narrative(text: str) -> dict[str, Any]:
    return {"text": {"status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{text}</div>'}}


def resources() -> list[dict[str, Any]]:
    data = base64.b64encode(b"secret words").decode()
    return [
        patient(id="p", name=[{"family": "Éluard"}]),
        patient(id="q"),
        practitioner("10000000001", id="alice", name=[{"family": "Genou"}]),
        observation("p", id="knee", note=[{"text": "Douleur au genou GAUCHE, depuis l’été."}]),
        observation("p", id="hip",
                    **narrative("<p>Douleur de la <b>hanche</b></p><p title='genou > x'>droite &amp; gauche</p>")),
        observation("p", id="both", note=[{"text": "genou"}], **narrative("<!-- rien -->hanche"),
                    performer=[reference("Practitioner/alice")]),
        observation("q", id="other", note=[{"text": "Genou droit"}]),
        {"resourceType": "Media", "id": "m", "status": "completed", "subject": reference("Patient/p"),
         "content": {"contentType": "text/plain", "title": "Radiographie du genou", "data": data}},
        organization("750000001", id="chu", name="Clinique du genou"),
        organization("750000002", id="ch", name="Centre"),
    ]  # fmt: skip


@pytest.fixture(scope="module")
def operator(application: Application) -> Caller:
    caller = application.operator()
    for each in resources():
        caller.store(each)
    return caller


FOUND = [
    ("Observation", "_text", "hanche", ["both", "hip"]),
    ("Observation", "_text", "genou", []),
    ("Observation", "_text", "rien", []),
    ("Observation", "_text", "droite gauche", ["hip"]),
    ("Observation", "_text", '"droite gauche"', ["hip"]),
    ("Observation", "_text", '"gauche droite"', []),
    ("Observation", "_text", "p", []),
    ("Observation", "_content", "GENOU", ["both", "knee"]),
    ("Observation", "_content", "gen", []),
    ("Observation", "_content", "gen*", ["both", "knee"]),
    ("Observation", "_content", "ete", ["knee"]),
    ("Observation", "_content", "l'été", ["knee"]),
    ("Observation", "_content", "genou hanche", ["both"]),
    ("Observation", "_content", "genou and hanche", ["both"]),
    ("Observation", "_content", "genou OR hanche", ["both", "hip", "knee"]),
    ("Observation", "_content", "genou,hanche", ["both", "hip", "knee"]),
    ("Observation", "_content", "(genou or hanche) and douleur", ["hip", "knee"]),
    ("Observation", "_content", "genou or hanche and douleur", ["both", "hip", "knee"]),
    ("Observation", "_content", "not genou", ["hip"]),
    ("Observation", "_content", "douleur not (genou or droite)", []),
    ("Observation", "_content", '"genou gauche"', ["knee"]),
    ("Observation", "_content", '"au genou gau"*', ["knee"]),
    ("Observation", "_content", "718-7", ["both", "hip", "knee"]),
    ("Observation", "_content", "final", ["both", "hip", "knee"]),
    ("Observation", "_content", "alice", []),
    ("Observation", "_content", "loinc", []),
    ("Media", "_content", "radiographie", ["m"]),
    ("Media", "_content", base64.b64encode(b"secret words").decode(), []),
]  # fmt: skip


@pytest.mark.parametrize(("type", "name", "value", "ids"), FOUND)
def test_words_of_a_record_are_found(operator: Caller, type: str, name: str, value: str, ids: list[str]) -> None:
    answer = operator.search(type, ("patient", "p"), (name, value), _sort="_id")
    assert answer.ids == ids
    assert answer.total == len(ids)
    within = operator.get(f"Patient/p/{type}?{name}={value.replace(' ', '%20')}&_sort=_id")
    assert within.ids == ids


def test_what_is_not_of_patients_and_little_is_searched_as_it_is(operator: Caller) -> None:
    assert operator.search("Organization", _content="genou").ids == ["chu"]
    assert operator.search("Observation", _content="droit", identifier="x").ids == []
    assert operator.search("Observation", ("code", "718-7"), _content="droit").ids == ["other"]


def test_words_are_sought_where_chains_lead(operator: Caller) -> None:
    assert operator.get("Observation?patient=p&performer:Practitioner._content=genou").ids == ["both"]
    assert (
        operator.get(
            "Patient?_id=p,q&_has:Observation:patient:_content=droit&_has:Observation:patient:code=718-7"
        ).status
        == 400
    )
    assert operator.get("?_type=Observation,Media&patient=p&_content=radiographie or hanche&_sort=-_id").ids == [
        "m", "hip", "both",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "asked", ["Observation?_content=genou", "Patient?_text=x", "Patient?_has:Observation:patient:_content=genou"]
)
def test_words_of_everybody_are_refused_with_the_way_out(operator: Caller, asked: str) -> None:
    answer = operator.get(asked)
    assert (answer.status, answer.issue["code"]) == (400, "too-costly")
    assert "patient" in answer.told


def test_too_many_candidates_are_refused_and_only_those_seen_are_counted(
    application: Application, operator: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(joins, "MOST", 1)
    assert operator.search("Observation", code="718-7", _content="genou").status == 400
    assert application.patient("q").search("Observation", code="718-7", _content="genou").ids == ["other"]
    assert operator.search("Observation", patient="p", _content="genou").total == 2


def test_words_of_others_are_not_found(application: Application, operator: Caller) -> None:
    assert application.patient("q").search("Observation", patient="p", _content="genou").total == 0
    assert application.patient("q").search("Observation", patient="q", _content="genou").ids == ["other"]


def test_words_follow_the_resource(operator: Caller) -> None:
    id = operator.create(observation("q", note=[{"text": "avant"}]))
    operator.put(f"Observation/{id}", observation("q", id=id, note=[{"text": "apres"}]))
    assert operator.search("Observation", patient="q", _content="avant").ids == []
    assert operator.search("Observation", patient="q", _content="apres").ids == [id]
    operator.delete(f"Observation/{id}")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("_text", ""), ("_text", "()"), ("_text", "(a"), ("_text", "a)"), ("_text", "a and"), ("_text", "or a"),
        ("_text", '"a'), ("_text", "..."), ("_text", "*"), ("_text", "a,"), ("_content", "not"),
        ("_content", "(" * 50 + "a" + ")" * 50), ("_content", "not " * 4000 + "a"), ("_content", "a " * 100),
        ("_text:exact", "a"), ("_content:missing", "true"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_and_named(operator: Caller, name: str, value: str) -> None:
    answer = operator.search("Observation", ("patient", "p"), (name, value))
    assert answer.status == 400
    assert name.partition(":")[0] in answer.told


@pytest.mark.parametrize(
    ("type", "name", "value"),
    [
        ("Patient", "name", "a" * 801), ("Patient", "name:contains", "a" * 1500),
        ("Observation", "code:text", "a" * 1500),
        ("Observation", "_content", "a" * 1500), ("Observation", "_filter", f"value-string ew {'a' * 1500}"),
        ("ValueSet", "url:below", "http://a/" + "." * 900),
    ],
)  # fmt: skip
def test_what_no_database_could_look_for_is_refused_and_named(
    operator: Caller, type: str, name: str, value: str
) -> None:
    answer = operator.search(type, (name, value), *([("patient", "p")] if type == "Observation" else []))
    assert answer.status == 400
    assert name in answer.told
    assert "characters" in answer.told


def test_the_longest_text_that_may_be_looked_for_is(operator: Caller) -> None:
    operator.store(patient(id="long", name=[{"family": "é" * 800}]))
    assert operator.search("Patient", ("name", "e" * 800)).ids == ["long"]
    assert operator.search("Patient", ("family:contains", "e" * 800)).ids == ["long"]
    assert operator.search("ValueSet", ("url:below", "http://a/" + "." * 391)).total == 0
