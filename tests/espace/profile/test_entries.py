"""Entries of the health profile: values of a form become resources that conform, and become the values again."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest

from fhirserver.espace.profile import entries, tables
from fhirserver.espace.profile.entries import Whose
from fhirserver.validation import Validator

if TYPE_CHECKING:
    from fhirserver.espace.profile.entries import Resource

WHOSE = Whose("Patient/p", {"reference": "Patient/p", "display": "Claire EXEMPLE"}, date(2026, 11, 22))
FILLED = [
    ("allergies", {"substance": "penicillines", "texte": "amoxicilline", "reaction": "Urticaire", "grave": "oui",
                   "depuis": "2019", "passee": "oui"}),
    ("allergies", {"substance": "arachide"}),
    ("allergies", {"texte": "Kiwi <b>(vert)</b>"}),
    ("traitements", {"texte": "Lévothyroxine", "posologie": "un le matin", "depuis": "2020-01", "raison": "Thyroïde"}),
    ("traitements", {"texte": "Amoxicilline", "depuis": "2020-01-02", "jusque": "2020-01-09"}),
    ("problemes", {"texte": "Asthme", "depuis": "1999"}),
    ("problemes", {"texte": "Varicelle", "depuis": "1999", "jusque": "1999-04-03"}),
    ("vaccinations", {"vaccin": "ror", "date": "1986-05-01", "lot": "A123"}),
    ("vaccinations", {"texte": "Typhoïde", "date": "2010"}),
    ("operations", {"texte": "Appendicectomie", "date": "2001-07"}),
    ("famille", {"lien": "grand-mere-m", "texte": "Diabète", "age": "60", "note": "de type 2"}),
    ("habitudes", {"tabac": "ancien"}),
    ("habitudes", {"activite": "3"}),
    ("habitudes", {"alcool": "un verre par semaine"}),
    ("habitudes", {"alimentation": "végétarienne"}),
    ("dispositifs", {"sorte": "stimulateur", "texte": "modèle X", "depuis": "2020", "jusque": "2021", "serie": "S1"}),
    ("dispositifs", {"texte": "Attelle"}),
]  # fmt: skip


@pytest.fixture(scope="module")
def french() -> Validator:
    return Validator()


def only(section: str, values: dict[str, str]) -> Resource:
    found = entries.built(tables.sections()[section], values, WHOSE)
    assert not found.errors
    (resource,) = found.resources
    return resource


@pytest.mark.parametrize(("section", "values"), FILLED)
def test_what_is_entered_conforms_and_reads_back(french: Validator, section: str, values: dict[str, str]) -> None:
    resource = only(section, values)
    assert [each for each in french.check(resource) if each.is_error] == []
    assert entries.shown(tables.sections()[section], resource) == values
    found = entries.section_of(resource)
    assert found is not None
    assert found.name == section


@pytest.mark.parametrize(("section", "values"), FILLED)
def test_each_field_of_each_section_is_of_use(section: str, values: dict[str, str]) -> None:
    assert values.keys() <= {each.name for each in tables.sections()[section].fields}


def test_each_field_is_filled_by_some_example() -> None:
    filled = {(section, name) for section, values in FILLED for name in values}
    assert filled == {(each.name, field.name) for each in tables.sections().values() for field in each.fields}


def test_several_habits_are_observations_of_their_own() -> None:
    found = entries.built(tables.sections()["habitudes"], {"tabac": "jamais", "activite": "0"}, WHOSE)
    assert [each["code"]["coding"][0]["code"] for each in found.resources] == ["72166-2", "89555-7"]


@pytest.mark.parametrize(
    ("section", "values", "errors"),
    [
        ("allergies", {}, {"substance": "either"}),
        ("allergies", {"substance": "x"}, {"substance": "choice"}),
        ("allergies", {"texte": "x" * 201}, {"texte": "long"}),
        ("allergies", {"texte": "a\x00b"}, {"texte": "text"}),
        ("allergies", {"texte": "a\u202eb"}, {"texte": "text"}),
        ("traitements", {"texte": " "}, {"texte": "required"}),
        ("traitements", {"texte": "x", "depuis": "2020-02", "jusque": "2020-01-31"}, {"jusque": "order"}),
        ("problemes", {"texte": "x", "depuis": "2026-11-23"}, {"depuis": "future"}),
        ("problemes", {"texte": "x", "depuis": "2021-02-29"}, {"depuis": "date"}),
        ("vaccinations", {"vaccin": "ror"}, {"date": "required"}),
        ("famille", {"texte": "x"}, {"lien": "required"}),
        ("famille", {"lien": "mere", "texte": "x", "age": "121"}, {"age": "range"}),
        ("famille", {"lien": "mere", "texte": "x", "age": "1,5"}, {"age": "decimals"}),
        ("habitudes", {"activite": "8"}, {"activite": "range"}),
        ("habitudes", {}, {"tabac": "either"}),
        ("dispositifs", {"serie": "1"}, {"sorte": "either"}),
    ],
)
def test_what_is_wrong_is_told_by_field(section: str, values: dict[str, str], errors: dict[str, str]) -> None:
    found = entries.built(tables.sections()[section], values, WHOSE)
    assert (found.resources, found.errors) == ([], errors)


def test_a_change_keeps_what_the_form_does_not_know() -> None:
    before = only("allergies", {"substance": "penicillines", "reaction": "Urticaire", "grave": "oui"})
    before |= {"id": "x", "meta": {"versionId": "3"}, "note": [{"text": "vu aux urgences"}], "recordedDate": "2001"}
    after = entries.changed(before, only("allergies", {"substance": "penicillines", "passee": "oui"}))
    assert after["note"] == before["note"]
    assert (after["id"], after["meta"], after["recordedDate"]) == ("x", {"versionId": "3"}, "2001")
    assert "reaction" not in after
    assert "criticality" not in after
    assert after["clinicalStatus"]["coding"][0]["code"] == "inactive"


def test_names_are_in_both_languages() -> None:
    fields = [field for each in tables.sections().values() for field in each.fields]
    options = {field.options for field in fields} - {""}
    names = [each.names for each in tables.sections().values()] + [each.names for each in fields]
    names += [each.names for each in tables.measures().values()] + [each.names for each in tables.habits().values()]
    names += [choice.names for each in options for choice in tables.choices(each).values()]
    assert all(each.fr and each.en for each in names)
