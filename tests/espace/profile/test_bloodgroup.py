"""The card of the blood group: two samples that agree, and nothing that a person said."""

from __future__ import annotations

from typing import Any

import pytest

from fhirserver.access import entered
from fhirserver.espace.profile import bloodgroup

LABORATORY = [{"coding": [{"code": "laboratory"}]}]


def result(code: str, at: str, text: str = "", **more: Any) -> dict[str, Any]:
    value = {"valueCodeableConcept": {"text": text}} if text else {}
    coding = [{"system": "http://loinc.org", "code": code}]
    return {"category": LABORATORY, "code": {"coding": coding}, "effectiveDateTime": at, **value, **more}


def coded(code: str, at: str, *codes: str) -> dict[str, Any]:
    return result(code, at, valueCodeableConcept={"coding": [{"code": each} for each in codes]})


FIRST = [coded("883-9", "2020-01-01", "58460004"), coded("10331-7", "2020-01-01", "165747007")]
SECOND = [coded("883-9", "2021-01-01", "LA19708-9"), coded("10331-7", "2021-01-01", "LA6576-8")]


@pytest.mark.parametrize(
    ("found", "state", "group"),
    [
        ([], "none", ""),
        (FIRST, "one", "O+"),
        ([*FIRST, *SECOND], "two", "O+"),
        ([*FIRST, *FIRST], "one", "O+"),
        (FIRST[:1], "none", ""),
        ([*FIRST, SECOND[0]], "one", "O+"),
        ([*FIRST, coded("883-9", "2021-01-01", "112144000")], "apart", ""),
        ([*FIRST, coded("883-9", "2020-01-01", "112144000")], "apart", ""),
        ([*FIRST, coded("10331-7", "2021-01-01", "165746003"), SECOND[0]], "apart", ""),
        ([result("882-1", "2020-01-01", "A Rh positif"), result("882-1", "2021-01-01", "A+")], "two", "A+"),
        ([result("882-1", "2020-01-01", "Groupe AB Rh(D) négatif")], "one", "AB-"),
        ([result("882-1", "2020-01-01", "A ou B ?")], "none", ""),
        ([result("882-1", "2020-01-01", "sang B, négatif sauf erreur")], "none", ""),
        ([result("882-1", "", "A+")], "none", ""),
        ([{**result("882-1", "2020-01-01", "A+"), "category": []}], "none", ""),
    ],
)
def test_what_laboratories_determined(found: list[dict[str, Any]], state: str, group: str) -> None:
    card = bloodgroup.card(found)
    assert (card.state, card.group) == (state, group)


def test_what_the_person_said_is_no_determination() -> None:
    said = entered.marked(result("882-1", "2022-01-01", "B+"), ["PATAST"])
    card = bloodgroup.card([said, said | {"effectiveDateTime": "2023-01-01"}])
    assert (card.state, card.group, card.said) == ("none", "", ("B+", "B+"))
    assert bloodgroup.card([*FIRST, said]).group == "O+"
