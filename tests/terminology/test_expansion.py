from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from fhirserver.errors import NotFound, Unprocessable
from fhirserver.terminology import NotHere, TooCostly, Wish, expansion, valuesets
from tests.terminology.build import (
    ANIMALS,
    NOW,
    Json,
    animals,
    codes_of,
    concept,
    system,
    terminology,
    value_set,
    where,
)

ALL = value_set("urn:test:all", {"system": ANIMALS})


def test_a_whole_system_is_listed_in_its_order() -> None:
    assert codes_of(terminology(), ALL) == ["animal", "mammal", "cat", "dog", "bat", "bird", "owl", "dodo"]


@pytest.mark.parametrize(
    ("name", "op", "value", "expected"),
    [
        ("concept", "is-a", "bird", ["bird", "owl", "dodo"]),
        ("concept", "descendent-of", "bird", ["owl", "dodo"]),
        ("concept", "is-not-a", "mammal", ["animal", "bird", "owl", "dodo"]),
        ("concept", "generalizes", "cat", ["animal", "mammal", "cat"]),
        ("concept", "in", "cat, owl", ["cat", "owl"]),
        ("concept", "not-in", "animal,mammal,bird", ["cat", "dog", "bat", "owl", "dodo"]),
        ("code", "=", "cat", ["cat"]),
        ("code", "regex", "[bc]at", ["cat", "bat"]),
        ("display", "regex", "D.*", ["dog", "dodo"]),
        ("legs", "=", "4", ["cat", "dog"]),
        ("legs", "in", "2,3", ["bat", "owl", "dodo"]),
        ("legs", "not-in", "2", ["animal", "mammal", "cat", "dog", "bird"]),
        ("legs", "exists", "false", ["animal", "mammal", "bird"]),
        ("parent", "=", "bird", ["owl", "dodo"]),
        ("child", "=", "owl", ["bird"]),
        ("parent", "exists", "false", ["animal"]),
        ("inactive", "=", "true", ["dodo"]),
        ("status", "=", "retired", ["dodo"]),
        ("designation", "=", "Chien", ["dog"]),
        ("definition", "exists", "true", []),
    ],
)
def test_a_filter_keeps_what_it_says(name: str, op: str, value: str, expected: list[str]) -> None:
    assert codes_of(terminology(), value_set("urn:test:v", where(name, op, value))) == expected


def test_filters_of_one_include_hold_together_and_includes_add_up() -> None:
    both = where("concept", "is-a", "mammal")
    both["filter"].append({"property": "legs", "op": "=", "value": "2"})
    assert codes_of(terminology(), value_set("urn:test:v", both)) == ["bat"]
    assert codes_of(terminology(), value_set("urn:test:v", both, where("code", "=", "owl"))) == ["bat", "owl"]


def test_listed_concepts_keep_their_order_and_their_own_display() -> None:
    listed = {"system": ANIMALS, "concept": [{"code": "owl", "display": "Hoot"}, {"code": "cat"}, {"code": "unicorn"}]}
    expanded = terminology().expand(value_set("urn:test:v", listed), now=NOW)
    assert expanded["expansion"]["contains"] == [
        {"system": ANIMALS, "code": "owl", "display": "Hoot"},
        {"system": ANIMALS, "code": "cat", "display": "Cat"},
        {"system": ANIMALS, "code": "unicorn"},
    ]


def test_what_is_excluded_is_gone_whatever_the_order() -> None:
    made = value_set("urn:test:v", {"system": ANIMALS}, exclude=[where("concept", "is-a", "mammal")])
    assert codes_of(terminology(), made) == ["animal", "bird", "owl", "dodo"]


def test_value_sets_within_an_include_are_intersected() -> None:
    mammals = value_set("urn:test:mammals", where("concept", "is-a", "mammal"))
    two = value_set("urn:test:two", where("legs", "=", "2"))
    both = value_set("urn:test:both", {"valueSet": ["urn:test:mammals", "urn:test:two"]})
    of_system = value_set("urn:test:s", {"system": ANIMALS, "valueSet": ["urn:test:two"]})
    made = terminology(mammals, two)
    assert codes_of(made, both) == ["bat"]
    assert codes_of(made, of_system) == ["bat", "owl", "dodo"]
    assert codes_of(made, value_set("urn:test:e", {})) == []


def test_value_sets_that_include_each_other_are_refused() -> None:
    one = value_set("urn:test:one", {"valueSet": ["urn:test:other"]})
    other = value_set("urn:test:other", {"valueSet": ["urn:test:one"]})
    with pytest.raises(NotHere, match="includes itself"):
        terminology(one, other).expand("urn:test:one", now=NOW)


def test_value_sets_that_fan_out_are_looked_at_once_each() -> None:
    layers = [
        value_set(f"urn:test:{n}", {"valueSet": [f"urn:test:{n + 1}"]}, {"valueSet": [f"urn:test:{n + 1}"]})
        for n in range(25)
    ]
    made = terminology(*layers, value_set("urn:test:25", {"system": ANIMALS}))
    assert len(codes_of(made, "urn:test:0")) == 8
    assert made.in_value_set("urn:test:0", [{"system": ANIMALS, "code": "cat"}]).result
    assert not made.in_value_set("urn:test:0", [{"system": ANIMALS, "code": "none"}]).result


@pytest.mark.parametrize(
    ("include", "told"),
    [
        ({"system": "http://loinc.org"}, "http://loinc.org is not known here"),
        ({"system": "http://snomed.info/sct"}, "http://snomed.info/sct is not known here"),
        ({"valueSet": ["urn:test:none"]}, "urn:test:none is not known here"),
        (where("concept", "is-a", "unicorn"), "'unicorn'"),
        (where("wings", "=", "2"), "no property 'wings'"),
        (where("legs", "is-a", "2"), "on the concept only"),
        (where("legs", "like", "2"), "'like' is not offered"),
        (where("display", "regex", "((a+)+"), "not understood"),
        ({"system": "urn:test:part"}, "Only a part"),
    ],
)
def test_what_cannot_be_expanded_is_named(include: Json, told: str) -> None:
    part = system("urn:test:part", concept("a"), content="fragment")
    with pytest.raises(Unprocessable, match=told):
        terminology(part).expand(value_set("urn:test:v", include), now=NOW)


def test_an_unknown_value_set_is_not_found() -> None:
    with pytest.raises(NotFound, match="urn:test:none"):
        terminology().expand("urn:test:none", now=NOW)


def test_a_value_set_without_definition_is_refused() -> None:
    with pytest.raises(NotHere, match="neither a definition"):
        terminology().expand({"resourceType": "ValueSet", "url": "urn:test:v", "status": "active"}, now=NOW)


def test_units_without_end_are_too_costly() -> None:
    with pytest.raises(TooCostly, match="unitsofmeasure"):
        terminology().expand(value_set("urn:test:v", {"system": "http://unitsofmeasure.org"}), now=NOW)


def test_more_codes_than_an_answer_may_hold_are_too_costly_but_come_by_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expansion, "MOST", 5)
    with pytest.raises(TooCostly, match="8 codes"):
        terminology().expand(ALL, now=NOW)
    assert codes_of(terminology(), ALL, count=5, offset=5) == ["bird", "owl", "dodo"]


def test_the_expansion_that_a_value_set_carries_stands_for_what_is_not_here() -> None:
    carried = value_set("urn:test:v", {"system": "http://loinc.org"})
    carried["expansion"] = {"contains": [{"system": "http://loinc.org", "code": "8480-6", "display": "Systolic"}]}
    made = terminology()
    assert codes_of(made, carried) == ["8480-6"]
    assert made.in_value_set(carried, [{"system": "http://loinc.org", "code": "8480-6"}]).result
    carried["expansion"]["total"] = 2
    with pytest.raises(NotHere):
        made.expand(carried, now=NOW)


def test_a_value_set_may_be_an_expansion_alone() -> None:
    inner = {"system": ANIMALS, "code": "cat"}
    gone = {"system": ANIMALS, "code": "dodo", "inactive": True}
    listed = {
        "resourceType": "ValueSet",
        "status": "active",
        "expansion": {"contains": [{"display": "Pets", "contains": [inner, gone]}]},
    }
    assert codes_of(terminology(), listed) == ["cat", "dodo"]
    assert codes_of(terminology(), listed, active_only=True) == ["cat"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("do", ["dog", "dodo"]),
        ("DOG", ["dog"]),
        ("chien", ["dog"]),
        ("bat b", ["bat"]),
        ("og", []),
        ("mam", ["mammal"]),
    ],
)
def test_a_text_filter_finds_words_by_their_beginning(text: str, expected: list[str]) -> None:
    assert codes_of(terminology(), ALL, filter=text) == expected


def test_a_text_filter_looks_past_accents() -> None:
    made = terminology(system("urn:test:fr", concept("1", "Médecin généraliste"), concept("2", "Infirmière")))
    assert codes_of(made, value_set("urn:test:v", {"system": "urn:test:fr"}), filter="medecin GENE") == ["1"]


def test_pages_have_one_identifier_and_one_total() -> None:
    pages = [terminology().expand(ALL, Wish(offset=n, count=3), now=NOW)["expansion"] for n in (0, 3, 6)]
    assert [each["code"] for page in pages for each in page["contains"]] == codes_of(terminology(), ALL)
    assert {(page["identifier"], page["total"]) for page in pages} == {(pages[0]["identifier"], 8)}
    assert [page["offset"] for page in pages] == [0, 3, 6]
    empty = terminology().expand(ALL, Wish(count=0), now=NOW)["expansion"]
    assert empty["total"] == 8
    assert "contains" not in empty


def test_inactive_and_abstract_concepts_are_marked_and_left_out_when_asked() -> None:
    contains = terminology().expand(ALL, now=NOW)["expansion"]["contains"]
    assert {each["code"] for each in contains if each.get("abstract")} == {"animal"}
    assert {each["code"] for each in contains if each.get("inactive")} == {"dodo"}
    assert "dodo" not in codes_of(terminology(), ALL, active_only=True)
    assert "animal" not in codes_of(terminology(), ALL, exclude_abstract=True)
    without = {**ALL, "compose": {**ALL["compose"], "inactive": False}}
    assert "dodo" not in codes_of(terminology(), without)
    assert not terminology().in_value_set(without, [{"system": ANIMALS, "code": "dodo"}]).result


def test_codes_nest_as_in_their_system_when_asked() -> None:
    made = value_set("urn:test:v", where("concept", "is-not-a", "bird"), where("code", "=", "owl"))
    expanded = terminology().expand(made, Wish(exclude_nested=False), now=NOW)["expansion"]
    assert _shape(expanded["contains"]) == {"animal": {"mammal": {"cat": {}, "dog": {}, "bat": {}}}, "owl": {}}
    assert expanded["total"] == 6


def test_a_circle_in_a_code_system_does_not_swallow_its_codes() -> None:
    circle = system("urn:test:o", concept("a", parent="b"), concept("b", parent="a"), concept("c", parent="a"))
    expanded = terminology(circle).expand(
        value_set("urn:test:v", {"system": "urn:test:o"}), Wish(exclude_nested=False), now=NOW
    )
    assert _shape(expanded["expansion"]["contains"]) == {"b": {"a": {"c": {}}}}


def _shape(contains: list[Json]) -> Json:
    return {each["code"]: _shape(each.get("contains", [])) for each in contains}


def test_displays_come_in_the_language_asked_for() -> None:
    dog = value_set("urn:test:v", where("code", "=", "dog"))

    def item(**wish: Any) -> Json:
        found: Json = terminology().expand(dog, Wish(**wish), now=NOW)["expansion"]["contains"][0]
        return found

    assert item(display_language="fr")["display"] == "Chien"
    assert item(display_language="fr-CA, en;q=0.5")["display"] == "Pitou"
    assert item(display_language="de")["display"] == "Dog"
    assert "designation" not in item()
    assert [each["value"] for each in item(include_designations=True)["designation"]] == ["Chien", "Pitou"]
    assert [each["value"] for each in item(designations=("urn:ietf:bcp:47|fr",))["designation"]] == ["Chien"]
    assert [each["value"] for each in item(designations=("urn:use|slang",))["designation"]] == ["Pitou"]
    assert "designation" not in item(designations=("de",))


def test_systems_may_be_left_out() -> None:
    other = system("urn:test:other", concept("x"))
    made = value_set("urn:test:v", {"system": ANIMALS}, {"system": "urn:test:other"})
    assert codes_of(terminology(other), made, exclude_systems=(ANIMALS,)) == ["x"]
    assert codes_of(terminology(other), made, exclude_systems=(f"{ANIMALS}|1.0",)) == ["x"]


def test_the_answer_says_how_it_was_made() -> None:
    expanded = terminology().expand(ALL, Wish(filter="cat", active_only=True), now=NOW)
    assert expanded["expansion"]["parameter"] == [
        {"name": "filter", "valueString": "cat"},
        {"name": "activeOnly", "valueBoolean": True},
        {"name": "version", "valueUri": f"{ANIMALS}|1.0"},
    ]
    assert expanded["expansion"]["timestamp"] == "2026-01-31T12:00:00.000+00:00"
    assert "compose" not in expanded
    assert terminology().expand(ALL, Wish(include_definition=True), now=NOW)["compose"] == ALL["compose"]


def test_the_version_of_a_system_can_be_given_or_forced() -> None:
    newer = {**animals(), "version": "2.0", "concept": [concept("cat"), concept("yeti")]}
    made = terminology(newer)
    assert "yeti" not in codes_of(made, ALL)
    given = made.expand(ALL, now=NOW, versions={ANIMALS: "2.0"})["expansion"]
    assert [each["code"] for each in given["contains"]] == ["cat", "yeti"]
    old = value_set("urn:test:v", {"system": ANIMALS, "version": "1.0"})
    assert made.expand(old, now=NOW, versions={ANIMALS: "2.0"})["expansion"]["total"] == 8
    assert made.expand(old, now=NOW, forced={ANIMALS: "2.0"})["expansion"]["total"] == 2
    assert made.expand(old, now=NOW)["expansion"]["contains"][0]["version"] == "1.0"


def test_a_definition_of_too_many_clauses_is_neither_listed_nor_asked() -> None:
    many = value_set("urn:test:many", *({"system": f"urn:test:{number}", "concept": []} for number in range(2001)))
    nested = value_set("urn:test:nested", {"valueSet": [f"urn:test:{number}" for number in range(2001)]})
    for definition in (many, nested):
        with pytest.raises(TooCostly):
            terminology().expand(definition, now=NOW)
        with pytest.raises(TooCostly):
            terminology().in_value_set(definition, [{"system": ANIMALS, "code": "cat"}])


def test_listing_ends_when_it_takes_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter(range(0, 100, 6))
    monkeypatch.setattr(valuesets, "time", SimpleNamespace(monotonic=lambda: next(ticks)))
    clauses = [{"system": ANIMALS, "concept": [{"code": "cat"}]}] * 2
    with pytest.raises(TooCostly, match="10 seconds"):
        terminology().expand(value_set("urn:test:slow", *clauses), now=NOW)
