from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fhirserver.errors import Unprocessable
from fhirserver.terminology import NotHere, TooCostly, Wish, valuesets
from fhirserver.terminology.releases import BadRelease, add
from tests.terminology.build import NOW, Json, codes_of, value_set, where
from tests.terminology.releases.build import SNAPSHOT, snomed, snomed_files, terminology, zipped
from tests.terminology.releases.test_loinc import parts, values

if TYPE_CHECKING:
    from pathlib import Path

    from fhirserver.terminology import Terminology

SCT = "http://snomed.info/sct"
CONCEPTS = f"{SNAPSHOT}/Terminology/sct2_Concept_Snapshot_INT_20200131.txt"


@pytest.fixture(name="made")
def made_(tmp_path: Path) -> Terminology:
    add("snomed", [snomed(tmp_path)], tmp_path / "packages")
    return terminology(tmp_path / "packages")


def chosen(op: str, value: str, name: str = "concept") -> Json:
    return value_set("urn:test:vs", where(name, op, value, SCT))


def test_the_version_is_the_edition_and_its_date(made: Terminology) -> None:
    answer = made.lookup(SCT, "104")
    assert parts(answer, "version")[0]["valueString"] == f"{SCT}/900000000000207008/version/20200131"


def test_the_display_is_the_preferred_term(made: Terminology) -> None:
    answer = made.lookup(SCT, "101")
    assert parts(answer, "display")[0]["valueString"] == "Creature"
    told = [each["part"][-1]["valueString"] for each in parts(answer, "designation")]
    assert told == ["Creature", 'Creature of "Albion"', "Beast", "Creature (thing)"]
    assert parts(made.lookup(SCT, "104", language="fr-FR,en"), "display")[0]["valueString"] == "Unicorn"
    assert parts(made.lookup(SCT, "104", language="fr"), "display")[0]["valueString"] == "Licorne dorée"
    assert parts(made.lookup(SCT, "100"), "display")[0]["valueString"] == "Thing (thing)"


def test_what_is_above_is_what_was_inferred(made: Terminology) -> None:
    answer = made.lookup(SCT, "104")
    assert values(answer, "parent") == ["101", "103"]
    assert values(answer, "sufficientlyDefined") == [True]
    assert values(answer, "effectiveTime") == ["2020-01-31"]
    assert values(made.lookup(SCT, "102"), "parent") == ["101"]
    assert values(made.lookup(SCT, "100"), "child") == ["101", "103"]
    assert values(made.lookup(SCT, "105"), "inactive") == [True]


@pytest.mark.parametrize(
    ("one", "other", "relation"),
    [
        ("100", "104", "subsumes"),
        ("104", "103", "subsumed-by"),
        ("102", "103", "not-subsumed"),
        ("104", "104", "equivalent"),
    ],
)
def test_codes_subsume_one_another(made: Terminology, one: str, other: str, relation: str) -> None:
    assert made.subsumes({"system": SCT, "code": one}, {"system": SCT, "code": other}) == relation


@pytest.mark.parametrize(
    ("op", "value", "codes"),
    [
        ("is-a", "101", ["101", "102", "104"]),
        ("descendent-of", "101", ["102", "104"]),
        ("is-not-a", "101", ["100", "103", "105"]),
        ("generalizes", "104", ["100", "101", "103", "104"]),
        ("in", "104,105", ["104", "105"]),
        ("=", "104", ["104"]),
    ],
)
def test_filters_by_the_hierarchy(made: Terminology, op: str, value: str, codes: list[str]) -> None:
    value_set = chosen(op, value)
    assert codes_of(made, value_set) == codes
    for code in ("100", "101", "102", "103", "104", "105"):
        held = made.in_value_set(value_set, [{"system": SCT, "code": code}]).result
        assert held is (code in codes), code


def test_filters_by_properties_and_both(made: Terminology) -> None:
    assert codes_of(made, chosen("=", "true", "sufficientlyDefined")) == ["104"]
    assert codes_of(made, chosen("=", "101", "parent")) == ["102", "104"]
    both = value_set(
        "urn:test:vs",
        {
            "system": SCT,
            "filter": [
                {"property": "concept", "op": "is-a", "value": "100"},
                {"property": "concept", "op": "descendent-of", "value": "103"},
                {"property": "inactive", "op": "=", "value": "false"},
            ],
        },
        exclude=[where("concept", "is-a", "102", SCT)],
    )
    assert codes_of(made, both) == ["104"]
    with pytest.raises(Unprocessable, match="no property 'colour'"):
        codes_of(made, chosen("=", "red", "colour"))
    with pytest.raises(NotHere, match="'9'"):
        codes_of(made, chosen("is-a", "9"))


def test_implicit_value_sets(made: Terminology) -> None:
    assert codes_of(made, f"{SCT}?fhir_vs=isa/103") == ["103", "104"]
    assert len(codes_of(made, f"{SCT}?fhir_vs")) == 6
    edition = f"{SCT}/900000000000207008/version/20200131"
    assert made.holds(f"{edition}?fhir_vs=isa/103", SCT, "104") is True
    assert made.finder.find("ValueSet", f"{SCT}?fhir_vs=ecl/<103") is None
    assert made.finder.find("ValueSet", "urn:other?fhir_vs") is None


def test_expansions_nest_page_and_filter(made: Terminology) -> None:
    everything = f"{SCT}?fhir_vs=isa/101"
    assert codes_of(made, everything, count=1, offset=1) == ["102"]
    assert codes_of(made, everything, filter="dor lic") == ["104"]
    assert codes_of(made, everything, filter="10") == ["101", "102", "104"]
    assert codes_of(made, everything, filter="...") == []
    (top,) = made.expand(everything, wish_nested(), now=NOW)["expansion"]["contains"]
    assert [each["code"] for each in top["contains"]] == ["102", "104"]


def wish_nested() -> Wish:
    return Wish(exclude_nested=False)


def test_too_many_codes_are_too_costly_unless_a_text_filters_them(
    made: Terminology, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(valuesets, "LARGEST", 2)
    with pytest.raises(TooCostly, match="filter them by a text"):
        codes_of(made, f"{SCT}?fhir_vs")
    assert codes_of(made, f"{SCT}?fhir_vs", filter="unicorn") == ["104"]
    assert made.holds(f"{SCT}?fhir_vs", SCT, "104") is True


def test_an_extension_goes_with_what_it_extends(tmp_path: Path) -> None:
    concept = "id\teffectiveTime\tactive\tmoduleId\tdefinitionStatusId\n"
    names = {
        "x/sct2_Concept_Snapshot_FR1000315_20210601.txt": concept + "200\t20210601\t1\t11000315107\t1\n",
        "x/sct2_Relationship_Snapshot_FR1000315_20210601.txt": (
            "active\tsourceId\tdestinationId\ttypeId\tcharacteristicTypeId\n"
            "1\t200\t104\t116680003\t900000000000011006\n"
        ),
    }
    added = add("snomed", [snomed(tmp_path), zipped(tmp_path / "fr.zip", names)], tmp_path / "packages")
    assert (added.version, added.concepts) == ("11000315107-20210601", 7)
    made = terminology(tmp_path / "packages")
    assert made.subsumes({"system": SCT, "code": "100"}, {"system": SCT, "code": "200"}) == "subsumes"
    assert parts(made.lookup(SCT, "200"), "display")[0]["valueString"] == "200"


def test_an_unpacked_release_serves_too(tmp_path: Path) -> None:
    for name, content in snomed_files().items():
        file = tmp_path / "release" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(str(content), encoding="utf-8")
    added = add("snomed", [tmp_path / "release"], tmp_path / "packages", release="900000000000207008-20200131")
    assert added.concepts == 6


@pytest.mark.parametrize(
    ("changed", "release", "told"),
    [
        ({CONCEPTS: None}, None, "no sct2_Concept_Snapshot"),
        ({CONCEPTS: None, CONCEPTS.replace("INT", "XX"): ""}, None, "The edition XX is not known here"),
        ({}, "2020", "write the module and the date"),
        ({CONCEPTS.replace("Concept", "Relationship"): None}, None, "no descriptions or no relationships"),
        ({CONCEPTS: "id\teffectiveTime\n"}, None, "has no column active, moduleId"),
        (
            {CONCEPTS: "id\teffectiveTime\tactive\tmoduleId\tdefinitionStatusId\n1\t2\n"},
            None,
            "INT_20200131.txt, line 2: 2 values, not 5",
        ),
        (
            {CONCEPTS: "id\teffectiveTime\tactive\tmoduleId\tdefinitionStatusId\nx\t2\t1\t4\t5\n"},
            None,
            "'x' is not an identifier",
        ),
    ],
)
def test_what_is_laid_out_otherwise_is_refused_and_leaves_nothing(
    tmp_path: Path, changed: dict[str, str | None], release: str | None, told: str
) -> None:
    files = {name: content for name, content in (snomed_files() | changed).items() if content is not None}
    folder = tmp_path / "packages"
    with pytest.raises(BadRelease) as caught:
        add("snomed", [zipped(tmp_path / "x.zip", files)], folder, release=release)
    assert told in str(caught.value)
    assert not folder.exists() or list(folder.iterdir()) == []
