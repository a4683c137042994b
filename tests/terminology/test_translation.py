from __future__ import annotations

from typing import Any

import pytest

from fhirserver.errors import NotFound
from fhirserver.terminology import Question
from tests.terminology.build import ANIMALS, Json, terminology

LATIN = "urn:test:latin"


def target(code: str | None, equivalence: str = "equivalent", **members: Any) -> Json:
    return {**({"code": code} if code else {}), "equivalence": equivalence, **members}


def concept_map(url: str = "urn:test:map", unmapped: Json | None = None, **elements: list[Json]) -> Json:
    group: Json = {
        "source": ANIMALS,
        "target": LATIN,
        "element": [{"code": code, "target": targets} for code, targets in elements.items()],
    }
    if unmapped:
        group["unmapped"] = unmapped
    return {"resourceType": "ConceptMap", "status": "active", "url": url, "group": [group]}


def ask(maps: list[Json], code: str, by: str | Json | None = "urn:test:map", **asked: Any) -> Json:
    of = LATIN if asked.get("reverse") else ANIMALS
    found: Json = terminology(*maps).translate(Question([{"system": of, "code": code}], **asked), by)
    return found


def matches(answer: Json) -> list[tuple[str, str | None]]:
    """Equivalence and code of each match."""
    found = []
    for each in answer["parameter"]:
        if each["name"] == "match":
            parts = {part["name"]: part for part in each["part"]}
            concept = parts.get("concept")
            found.append((parts["equivalence"]["valueCode"], concept["valueCoding"]["code"] if concept else None))
    return found


def result(answer: Json) -> bool:
    return bool(answer["parameter"][0]["valueBoolean"])


FELIS = concept_map(cat=[target("felis", display="Felis")], dog=[target("canis", "wider")])


def test_a_code_is_translated_by_the_map_named() -> None:
    answer = ask([FELIS], "cat")
    assert result(answer)
    assert answer["parameter"][1]["part"] == [
        {"name": "equivalence", "valueCode": "equivalent"},
        {"name": "concept", "valueCoding": {"system": LATIN, "code": "felis", "display": "Felis"}},
        {"name": "source", "valueUri": "urn:test:map"},
    ]


def test_a_map_given_serves_like_one_that_is_known() -> None:
    assert matches(ask([], "cat", by=FELIS)) == [("equivalent", "felis")]


def test_an_unknown_map_is_not_found() -> None:
    with pytest.raises(NotFound, match="urn:test:none"):
        ask([FELIS], "cat", by="urn:test:none")


def test_what_has_no_target_is_said_to_have_none() -> None:
    absent = ask([FELIS], "owl")
    assert not result(absent)
    assert "owl" in absent["parameter"][1]["valueString"]
    unmatched = ask([concept_map(cat=[target(None, "unmatched")])], "cat")
    assert (result(unmatched), matches(unmatched)) == (False, [("unmatched", None)])


def test_all_maps_that_serve_are_asked_when_none_is_named() -> None:
    other = concept_map("urn:test:other", cat=[target("felix", "inexact")])
    assert matches(ask([FELIS, other], "cat", by=None)) == [("equivalent", "felis"), ("inexact", "felix")]
    none = terminology(FELIS).translate(Question([{"system": "urn:test:none", "code": "cat"}]))
    assert "No concept map" in none["parameter"][1]["valueString"]


def test_maps_are_chosen_by_their_value_sets_and_targets_by_their_system() -> None:
    scoped = {**FELIS, "sourceUri": "urn:test:vs-a|1", "targetCanonical": "urn:test:vs-b"}
    assert result(ask([scoped], "cat", by=None, source="urn:test:vs-a", target="urn:test:vs-b"))
    assert not result(ask([scoped], "cat", by=None, source="urn:test:vs-b"))
    assert result(ask([scoped], "felis", by=None, reverse=True, source="urn:test:vs-b", target="urn:test:vs-a"))
    assert result(ask([scoped], "cat", target_system=LATIN))
    assert not result(ask([scoped], "cat", target_system="urn:test:greek"))


def test_backwards_wider_is_narrower() -> None:
    assert matches(ask([FELIS], "canis", reverse=True)) == [("narrower", "dog")]
    assert matches(ask([FELIS], "felis", reverse=True)) == [("equivalent", "cat")]
    assert matches(ask([FELIS], "cat", reverse=True)) == []
    assert matches(ask([FELIS], "felis", reverse=True, target_system="urn:test:greek")) == []


def test_what_a_group_does_not_list_goes_the_way_that_it_says() -> None:
    assert matches(ask([concept_map(unmapped={"mode": "provided"})], "owl")) == [("equivalent", "owl")]
    assert matches(ask([concept_map(unmapped={"mode": "fixed", "code": "bestia"})], "owl")) == [("relatedto", "bestia")]
    chained = concept_map(unmapped={"mode": "other-map", "url": "urn:test:more"})
    more = concept_map("urn:test:more", owl=[target("strix")])
    assert matches(ask([chained, more], "owl")) == [("equivalent", "strix")]
    assert matches(ask([chained], "owl")) == []


def test_maps_that_refer_to_each_other_come_to_an_end() -> None:
    one = concept_map(unmapped={"mode": "other-map", "url": "urn:test:two"})
    two = concept_map("urn:test:two", unmapped={"mode": "other-map", "url": "urn:test:map"})
    assert matches(ask([one, two], "owl")) == []


def test_a_target_that_depends_on_something_needs_it() -> None:
    needs = concept_map(cat=[target("leo", dependsOn=[{"property": "urn:test:size", "value": "big"}])])
    assert matches(ask([needs], "cat")) == []
    assert matches(ask([needs], "cat", dependencies={"urn:test:size": frozenset({"small"})})) == []
    assert matches(ask([needs], "cat", dependencies={"urn:test:size": frozenset({"big"})})) == [("equivalent", "leo")]


def test_products_come_with_their_match() -> None:
    made = concept_map(
        cat=[target("felis", product=[{"property": "urn:test:size", "system": "urn:s", "value": "big"}])]
    )
    parts = {part["name"]: part for part in ask([made], "cat")["parameter"][1]["part"]}
    assert parts["product"]["part"] == [
        {"name": "element", "valueUri": "urn:test:size"},
        {"name": "concept", "valueCoding": {"system": "urn:s", "code": "big"}},
    ]


def test_versions_that_differ_do_not_match() -> None:
    versioned = {**FELIS, "group": [{**FELIS["group"][0], "sourceVersion": "1"}]}
    made = terminology(versioned)
    for version, expected in (("1", True), ("2", False), (None, True)):
        coding = {"system": ANIMALS, "code": "cat", **({"version": version} if version else {})}
        assert result(made.translate(Question([coding]), "urn:test:map")) is expected


def test_maps_of_the_specification_are_found_by_their_systems() -> None:
    answer = terminology().translate(Question([{"system": "http://hl7.org/fhir/address-use", "code": "home"}]))
    assert ("equivalent", "H") in matches(answer)
