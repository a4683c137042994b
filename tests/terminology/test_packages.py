from __future__ import annotations

from functools import partial

import pytest

from fhirserver.errors import Unprocessable
from fhirserver.spec import Definitions
from fhirserver.terminology import NotHere, Terminology
from fhirserver.terminology.sources import Found, Kept
from tests.terminology.build import NOW, Json, concept, system

pytestmark = pytest.mark.no_cover

GENDER = "http://hl7.org/fhir/ValueSet/administrative-gender"


@pytest.mark.parametrize("definitions", [Definitions.core(), Definitions.french()], ids=["core", "french"])
def test_every_value_set_of_the_packages_expands_to_the_codes_that_bindings_are_held_to(
    definitions: Definitions,
) -> None:
    made = Terminology(definitions)
    compared = 0
    for package in definitions.packages:
        for entry in package.entries("ValueSet"):
            canonical = f"{entry.url}|{entry.version}" if entry.version else str(entry.url)
            listed = definitions.codes(canonical)
            try:
                expanded = made.expand(canonical, now=NOW)
            except Unprocessable:
                assert not listed, canonical
                continue
            found: dict[str, set[str]] = {}
            for each in expanded["expansion"].get("contains", ()):
                found.setdefault(each["system"], set()).add(each["code"])
            assert found == dict(listed or {}), canonical
            compared += 1
    assert compared > 1000


def test_what_is_expanded_is_valid() -> None:
    made = Terminology(Definitions.core())
    for canonical in (GENDER, "http://terminology.hl7.org/ValueSet/v3-ActEncounterCode"):
        for each in made.expand(canonical, now=NOW)["expansion"]["contains"]:
            assert made.in_value_set(canonical, [each]).result


def test_a_value_set_of_another_system_says_which() -> None:
    with pytest.raises(NotHere, match=r"http://loinc.org") as caught:
        Terminology(Definitions.core()).expand("http://hl7.org/fhir/ValueSet/observation-codes", now=NOW)
    assert caught.value.canonical == "http://loinc.org"


def test_what_was_brought_goes_before_the_packages_and_is_not_kept() -> None:
    shared = Terminology(Definitions.core())
    url = "http://hl7.org/fhir/administrative-gender"
    brought = shared.bringing([system(url, concept("other-than-all"), version="4.0.1")])
    assert brought.in_value_set(GENDER, [{"system": url, "code": "other-than-all"}]).result
    assert not brought.in_value_set(GENDER, [{"system": url, "code": "male"}]).result
    assert shared.in_value_set(GENDER, [{"system": url, "code": "male"}]).result


def test_a_resource_with_a_key_is_taken_apart_once() -> None:
    class Finder:
        def find(self, type: str, canonical: str) -> Found | None:
            made: Json = system("urn:test:k", concept("a"))
            return Found(made, "the same") if canonical == "urn:test:k" else None

        def concept_maps(self, systems: frozenset[str]) -> tuple[Found, ...]:
            return ()

    shared = Terminology(Definitions.core())
    for _ in range(2):
        assert shared.with_(Finder()).in_code_system([{"system": "urn:test:k", "code": "a"}]).result
    made: list[int] = []

    def make(key: int) -> int:
        made.append(key)
        return key

    kept = Kept(2)
    for key in (1, 2, 1, 3, 1, 2):
        assert kept.of(key, partial(make, key)) == key
    assert made == [1, 2, 3, 2]
