from __future__ import annotations

from typing import Any

import pytest

from fhirserver.errors import BadRequest, NotFound, Unprocessable
from fhirserver.terminology import Verdict
from tests.terminology.build import ANIMALS, Json, concept, system, terminology, value_set, where

ALL = value_set("urn:test:all", {"system": ANIMALS})
LOINC = {"system": "http://loinc.org", "code": "8480-6"}


def coding(code: str, of: str = ANIMALS, **members: str) -> Json:
    return {"system": of, "code": code, **members}


def in_value_set(made: Json, *codings: Json, **asked: Any) -> Verdict:
    return terminology().in_value_set(made, codings, **asked)


def values(parameters: Json) -> dict[str, Any]:
    return {
        each["name"]: next(value for name, value in each.items() if name != "name") for each in parameters["parameter"]
    }


def test_a_code_of_a_value_set_is_valid_and_shown() -> None:
    assert in_value_set(ALL, coding("cat")) == Verdict(True, None, "Cat")
    assert in_value_set(ALL, coding("dog"), language="fr").display == "Chien"


def test_a_code_that_is_not_in_the_value_set_is_invalid_and_told_from_one_that_does_not_exist() -> None:
    mammals = value_set("urn:test:m", where("concept", "is-a", "mammal"))
    owl = in_value_set(mammals, coding("owl"))
    assert (owl.result, owl.unknown) == (False, None)
    assert "not in urn:test:m" in str(owl.message)
    assert "no code of" not in str(owl.message)
    assert "no code of urn:test:animals at all" in str(in_value_set(mammals, coding("unicorn")).message)
    assert not in_value_set(mammals, coding("cat", "urn:test:other")).result
    assert not in_value_set(mammals, {"code": "cat"}).result


def test_a_wrong_display_is_reported_with_the_right_one() -> None:
    wrong = in_value_set(ALL, coding("cat", display="Dog"))
    assert (wrong.result, wrong.display) == (False, "Cat")
    assert "'Cat'" in str(wrong.message)
    for right in ("Dog", "dog ", "Chien", "Pitou"):
        assert in_value_set(ALL, coding("dog", display=right)).result


def test_a_display_of_the_value_set_is_as_good_as_that_of_the_system() -> None:
    listed = value_set("urn:test:l", {"system": ANIMALS, "concept": [{"code": "cat", "display": "Kitty"}]})
    for right in ("Kitty", "Cat"):
        assert in_value_set(listed, coding("cat", display=right)).result
    assert in_value_set(listed, coding("cat")).display == "Kitty"


def test_one_valid_coding_of_several_is_enough() -> None:
    assert in_value_set(ALL, coding("none"), coding("cat")).result
    bad = in_value_set(ALL, coding("none"), coding("neither"))
    assert not bad.result
    assert "'none'" in str(bad.message)
    assert "'neither'" in str(bad.message)
    assert not in_value_set(ALL, {"display": "no code"}).result


def test_abstract_codes_are_refused_only_when_asked() -> None:
    assert in_value_set(ALL, coding("animal")).result
    assert in_value_set(ALL, coding("animal"), abstract=True).result
    assert not in_value_set(ALL, coding("animal"), abstract=False).result
    assert not terminology().in_code_system([coding("animal")], abstract=False).result


def test_an_unknown_system_is_no_error_but_said_to_be_unknown() -> None:
    of_loinc = value_set("urn:test:v", {"system": "http://loinc.org"})
    verdict = in_value_set(of_loinc, LOINC)
    assert verdict.unknown == "http://loinc.org"
    told = values(verdict.as_fhir())
    assert told["result"] is False
    assert told["x-unknown-system"] == "http://loinc.org"
    assert told["issues"]["issue"][0]["severity"] == "warning"
    assert terminology().in_code_system([LOINC]).unknown == "http://loinc.org"


def test_a_listed_code_of_an_unknown_system_is_valid() -> None:
    listed = value_set("urn:test:v", {"system": "http://loinc.org", "concept": [{"code": "8480-6"}]})
    assert in_value_set(listed, LOINC).result
    assert in_value_set(listed, {**LOINC, "code": "1-8"}) == Verdict(
        False, "'1-8' of http://loinc.org is not in urn:test:v."
    )


def test_what_is_surely_in_one_include_is_valid_whatever_is_unknown_beside() -> None:
    mixed = value_set("urn:test:v", {"valueSet": ["urn:test:none"]}, {"system": ANIMALS})
    assert in_value_set(mixed, coding("cat")).result
    assert in_value_set(mixed, coding("none")).unknown == "urn:test:none"


def test_an_exclude_that_nobody_can_tell_makes_it_unknown() -> None:
    made = value_set("urn:test:v", {"system": ANIMALS}, exclude=[{"valueSet": ["urn:test:none"]}])
    assert in_value_set(made, coding("cat")).unknown == "urn:test:none"
    made = value_set("urn:test:v", {"system": ANIMALS}, exclude=[where("code", "=", "cat")])
    assert not in_value_set(made, coding("cat")).result
    assert in_value_set(made, coding("dog")).result


def test_a_part_of_a_code_system_says_yes_and_never_no() -> None:
    made = terminology(system("urn:test:part", concept("a"), content="fragment"))
    of_part = value_set("urn:test:v", {"system": "urn:test:part"})
    assert made.in_value_set(of_part, [coding("a", "urn:test:part")]).result
    assert made.in_value_set(of_part, [coding("b", "urn:test:part")]).unknown == "urn:test:part"
    assert made.in_code_system([coding("b", "urn:test:part")]).unknown == "urn:test:part"


def test_letters_differ_by_case_unless_the_system_says_otherwise() -> None:
    assert not terminology().in_code_system([coding("CAT")]).result
    made = terminology(system("urn:test:i", concept("Cat", "Cat"), caseSensitive=False))
    assert made.in_code_system([coding("cAT", "urn:test:i")]).result
    listed = value_set("urn:test:v", {"system": "urn:test:i", "concept": [{"code": "Cat"}]})
    assert made.in_value_set(listed, [coding("CAT", "urn:test:i")]).result
    assert made.subsumes(coding("cat", "urn:test:i"), coding("CAT", "urn:test:i")) == "equivalent"


def test_a_code_of_a_code_system() -> None:
    made = terminology()
    assert made.in_code_system([coding("cat")]) == Verdict(True, None, "Cat")
    assert not made.in_code_system([coding("unicorn")]).result
    assert not made.in_code_system([{"code": "cat"}]).result
    assert made.in_code_system([coding("cat", version="9")]).unknown == f"{ANIMALS}|9"
    given = system("urn:test:g", concept("x", "X"))
    assert made.in_code_system([{"code": "x"}], code_system=given) == Verdict(True, None, "X")


@pytest.mark.parametrize(
    ("of", "code", "valid", "sure"),
    [
        ("http://unitsofmeasure.org", "mg/dL", True, True),
        ("http://unitsofmeasure.org", "mgg", False, True),
        ("urn:ietf:bcp:47", "fr-CA", True, True),
        ("urn:ietf:bcp:47", "francais!", False, True),
        ("urn:ietf:bcp:13", "application/fhir+json; charset=utf-8", True, True),
        ("urn:ietf:bcp:13", "text", False, True),
        ("urn:iso:std:iso:3166", "FR", True, False),
        ("urn:iso:std:iso:3166", "fr", False, True),
        ("urn:iso:std:iso:3166:-2", "FR-75C", True, False),
        ("urn:iso:std:iso:4217", "EUR", True, False),
        ("urn:iso:std:iso:4217", "euro", False, True),
    ],
)
def test_codes_of_a_grammar_are_judged_by_their_form(of: str, code: str, valid: bool, sure: bool) -> None:
    of_all = value_set("urn:test:v", {"system": of})
    for verdict in (terminology().in_code_system([coding(code, of)]), in_value_set(of_all, coding(code, of))):
        assert verdict.result is valid
        if valid:
            assert (verdict.message is None) is sure


def test_a_grammar_cannot_be_filtered() -> None:
    made = value_set("urn:test:v", where("canonical", "=", "m", "http://unitsofmeasure.org"))
    assert in_value_set(made, coding("m", "http://unitsofmeasure.org")).unknown == "http://unitsofmeasure.org"


def test_lookup_tells_all_that_is_known() -> None:
    found = terminology().lookup(ANIMALS, "dog")
    told = values(found)
    assert (told["name"], told["version"], told["display"]) == ("Animals", "1.0", "Dog")
    assert _properties(found) == {"inactive": [False], "parent": ["mammal"], "legs": ["4"]}
    assert [each["part"][-1]["valueString"] for each in found["parameter"] if each["name"] == "designation"] == [
        "Chien",
        "Pitou",
    ]
    assert _properties(terminology().lookup(ANIMALS, "bird"))["child"] == ["owl", "dodo"]
    assert _properties(terminology().lookup(ANIMALS, "dodo"))["inactive"] == [True]
    assert values(terminology().lookup(ANIMALS, "dog", language="fr"))["display"] == "Chien"


def test_lookup_tells_only_the_properties_asked_for() -> None:
    found = terminology().lookup(ANIMALS, "dog", properties=["parent", "display"])
    assert _properties(found) == {"parent": ["mammal"]}
    assert "designation" not in values(found)
    defined = system("urn:test:d", {"code": "a", "definition": "The first."})
    assert _properties(terminology(defined).lookup("urn:test:d", "a"))["definition"] == ["The first."]


def _properties(parameters: Json) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for each in parameters["parameter"]:
        if each["name"] == "property":
            name, value = each["part"]
            found.setdefault(name["valueCode"], []).append(next(v for k, v in value.items() if k != "name"))
    return found


@pytest.mark.parametrize(
    ("of", "code", "version", "told"),
    [
        (ANIMALS, "unicorn", None, "'unicorn'"),
        (ANIMALS, "cat", "9", "animals.9 is not known here"),
        ("http://loinc.org", "8480-6", None, "http://loinc.org"),
        ("http://unitsofmeasure.org", "mgg", None, "form"),
    ],
)
def test_lookup_of_what_is_not_here_is_not_found(of: str, code: str, version: str | None, told: str) -> None:
    with pytest.raises(NotFound, match=told):
        terminology().lookup(of, code, version)


def test_lookup_knows_units_by_their_form() -> None:
    assert values(terminology().lookup("http://unitsofmeasure.org", "mg/dL")) == {"name": "UCUM", "display": "mg/dL"}


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("cat", "cat", "equivalent"),
        ("animal", "cat", "subsumes"),
        ("cat", "animal", "subsumed-by"),
        ("cat", "dog", "not-subsumed"),
        ("bird", "cat", "not-subsumed"),
    ],
)
def test_subsumption_follows_the_hierarchy(one: str, other: str, expected: str) -> None:
    assert terminology().subsumes(coding(one), coding(other)) == expected


@pytest.mark.parametrize("name", ["parent", "subsumedBy"])
def test_a_concept_with_several_parents_is_below_each_of_them(name: str) -> None:
    several: Json = {name: ["left", "right"]}
    made = terminology(
        system(
            "urn:test:p",
            concept("top"),
            concept("left", **{name: "top"}),
            concept("right", **{name: "top"}),
            concept("both", **several),
            concept("leaf", **{name: "both"}),
            concept("lone", **{name: "nobody"}),
        )
    )
    for above in ("top", "left", "right", "both"):
        assert made.subsumes(coding(above, "urn:test:p"), coding("leaf", "urn:test:p")) == "subsumes"
    assert made.subsumes(coding("left", "urn:test:p"), coding("right", "urn:test:p")) == "not-subsumed"
    assert made.subsumes(coding("top", "urn:test:p"), coding("lone", "urn:test:p")) == "not-subsumed"


def test_the_property_child_makes_a_hierarchy_and_a_circle_ends() -> None:
    by_child = terminology(system("urn:test:c", concept("a", child=["b"]), concept("b")))
    assert by_child.subsumes(coding("a", "urn:test:c"), coding("b", "urn:test:c")) == "subsumes"
    circle = terminology(system("urn:test:o", concept("a", parent="b"), concept("b", parent="a")))
    assert circle.subsumes(coding("a", "urn:test:o"), coding("b", "urn:test:o")) == "subsumes"


def test_a_property_counts_by_its_uri_whatever_its_code() -> None:
    uri = "http://hl7.org/fhir/concept-properties#"
    made = terminology(
        system(
            "urn:test:u",
            concept("a", abstrait=True),
            concept("b", sous="a"),
            property=[
                {"code": "sous", "uri": f"{uri}parent", "type": "code"},
                {"code": "abstrait", "uri": f"{uri}notSelectable", "type": "boolean"},
            ],
        )
    )
    assert made.subsumes(coding("a", "urn:test:u"), coding("b", "urn:test:u")) == "subsumes"
    assert not made.in_code_system([coding("a", "urn:test:u")], abstract=False).result


def test_subsumption_needs_one_known_system_and_a_hierarchy_that_means_it() -> None:
    made = terminology(system("urn:test:g", concept("a", None, concept("b")), hierarchyMeaning="part-of"))
    with pytest.raises(BadRequest):
        made.subsumes(coding("cat"), coding("a", "urn:test:g"))
    with pytest.raises(NotFound, match="unicorn"):
        made.subsumes(coding("cat"), coding("unicorn"))
    with pytest.raises(NotFound, match="loinc"):
        made.subsumes(LOINC, LOINC)
    with pytest.raises(Unprocessable, match="part-of"):
        made.subsumes(coding("a", "urn:test:g"), coding("b", "urn:test:g"))
