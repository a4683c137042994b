from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from fhirserver.spec.snapshot import SnapshotError, segments
from tests.spec.conformance import BASE, Json, definitions, profile

if TYPE_CHECKING:
    from pathlib import Path

URL = f"{BASE}/StructureDefinition/x"


def _snapshot(tmp_path: Path, base: str, *differential: Json, further: tuple[Json, ...] = ()) -> dict[str, Json]:
    """The elements of the snapshot of one profile, by id, in order."""
    structure = definitions(tmp_path, profile("x", base, *differential), *further).structure(URL)
    assert structure is not None
    return {element["id"]: element for element in structure["snapshot"]["element"]}


def _el(identity: str, **members: Any) -> Json:
    path = ".".join(part.partition(":")[0] for part in identity.split("."))
    name = identity.rpartition(".")[2].partition(":")[2]
    return {"id": identity, "path": path, **({"sliceName": name} if name else {}), **members}


def _codes(element: Json) -> list[str]:
    return [listed["code"] for listed in element["type"]]


def test_an_id_is_taken_apart() -> None:
    assert segments("Patient.identifier:INS.type") == [("Patient", None), ("identifier", "INS"), ("type", None)]


def test_an_empty_differential_gives_the_snapshot_of_the_base(tmp_path: Path) -> None:
    found = definitions(tmp_path, profile("x", "Patient", _el("Patient")))
    base, derived = found.structure("Patient"), found.structure(URL)
    assert base is not None
    assert derived is not None
    assert derived["snapshot"] == base["snapshot"]
    assert derived["url"] == URL


def test_what_the_differential_says_replaces_what_the_base_says(tmp_path: Path) -> None:
    binding = {"strength": "required", "valueSet": "urn:vs"}
    found = _snapshot(tmp_path, "Patient", _el("Patient.gender", min=1, binding=binding, mustSupport=True, maxLength=6))
    gender = found["Patient.gender"]
    assert (gender["min"], gender["max"], gender["maxLength"], gender["mustSupport"]) == (1, "1", 6, True)
    assert gender["binding"] == binding
    assert gender["base"] == {"path": "Patient.gender", "min": 0, "max": "1"}
    assert gender["isSummary"]


def test_fixed_values_patterns_and_bounds_are_kept(tmp_path: Path) -> None:
    found = _snapshot(
        tmp_path,
        "Patient",
        _el("Patient.active", fixedBoolean=True),
        _el("Patient.maritalStatus", patternCodeableConcept={"coding": [{"code": "M"}]}),
        _el("Patient.birthDate", minValueDate="1900-01-01"),
    )
    assert found["Patient.active"]["fixedBoolean"] is True
    assert found["Patient.maritalStatus"]["patternCodeableConcept"] == {"coding": [{"code": "M"}]}
    assert found["Patient.birthDate"]["minValueDate"] == "1900-01-01"


def test_prose_of_the_differential_is_left_out(tmp_path: Path) -> None:
    found = _snapshot(tmp_path, "Patient", _el("Patient.gender", short="Sex", definition="…", comment="…"))
    assert not {"short", "definition", "comment"} & found["Patient.gender"].keys()


def test_constraints_accumulate_and_say_where_they_come_from(tmp_path: Path) -> None:
    rule = {"key": "own-1", "severity": "error", "expression": "exists()"}
    again = {"key": "ele-1", "severity": "warning", "expression": "true"}
    found = _snapshot(tmp_path, "Patient", _el("Patient.name", constraint=[rule, again], condition=["own-1"]))
    constraints = {item["key"]: item for item in found["Patient.name"]["constraint"]}
    assert list(constraints) == ["own-1", "ele-1"]
    assert constraints["own-1"]["source"] == URL
    assert constraints["ele-1"]["severity"] == "warning"
    assert found["Patient.name"]["condition"] == ["own-1"]


def test_walking_into_a_type_unfolds_it(tmp_path: Path) -> None:
    found = _snapshot(tmp_path, "Patient", _el("Patient.name.family", min=1))
    below = [identity for identity in found if identity.startswith("Patient.name.")]
    assert below[0] == "Patient.name.id"
    assert below[-1] == "Patient.name.period"
    assert found["Patient.name.family"]["min"] == 1
    assert found["Patient.name.family"]["base"]["path"] == "HumanName.family"
    assert list(found).index("Patient.name.id") == list(found).index("Patient.name") + 1


def test_walking_into_a_primitive_unfolds_its_extensions(tmp_path: Path) -> None:
    found = _snapshot(tmp_path, "Patient", _el("Patient.birthDate.extension:own", min=1))
    assert [key for key in found if key.startswith("Patient.birthDate.")] == [
        *("Patient.birthDate.id", "Patient.birthDate.extension", "Patient.birthDate.extension:own"),
        "Patient.birthDate.value",
    ]


def test_walking_into_a_profiled_type_unfolds_the_profile(tmp_path: Path) -> None:
    name = profile("name", "HumanName", _el("HumanName.family", min=1), kind="complex-type")
    listed = [{"code": "HumanName", "profile": [f"{BASE}/StructureDefinition/name"]}]
    differential = (_el("Patient.name", type=listed), _el("Patient.name.given", min=1))
    found = _snapshot(tmp_path, "Patient", *differential, further=(name,))
    assert found["Patient.name.family"]["min"] == 1
    assert found["Patient.name.given"]["min"] == 1
    assert found["Patient.name"]["type"] == listed


def test_an_unknown_profile_is_walked_into_as_its_type(tmp_path: Path) -> None:
    listed = [{"code": "HumanName", "profile": ["urn:not-here"]}]
    found = _snapshot(tmp_path, "Patient", _el("Patient.name", type=listed), _el("Patient.name.given", min=1))
    assert found["Patient.name.given"]["min"] == 1


def test_slices_follow_what_they_slice(tmp_path: Path) -> None:
    slicing = {"discriminator": [{"type": "value", "path": "system"}], "rules": "open"}
    found = _snapshot(
        tmp_path,
        "Patient",
        _el("Patient.identifier", slicing=slicing, min=1),
        _el("Patient.identifier:a", max="1"),
        _el("Patient.identifier:a.system", fixedUri="urn:a"),
        _el("Patient.identifier:b"),
    )
    order = [key for key in found if key.startswith("Patient.identifier")]
    assert order[:2] == ["Patient.identifier", "Patient.identifier:a"]
    assert order[2] == "Patient.identifier:a.id"
    assert order[-1] == "Patient.identifier:b"
    assert "Patient.identifier:b.system" not in found
    whole, part, other = (found[key] for key in ("Patient.identifier", "Patient.identifier:a", "Patient.identifier:b"))
    assert whole["slicing"] == slicing
    assert (part["sliceName"], part["min"], part["max"], part["path"]) == ("a", 0, "1", "Patient.identifier")
    assert (other["sliceName"], other["min"], other["max"]) == ("b", 0, "*")
    assert "slicing" not in part
    assert found["Patient.identifier:a.system"]["fixedUri"] == "urn:a"


def test_a_slice_of_a_backbone_has_all_that_is_below_it(tmp_path: Path) -> None:
    slicing = {"discriminator": [{"type": "value", "path": "code"}], "rules": "open"}
    component = _el("Observation.component", slicing=slicing)
    found = _snapshot(tmp_path, "Observation", component, _el("Observation.component:a", min=1))
    assert found["Observation.component:a.code"]["min"] == 1
    assert found["Observation.component:a.value[x]"]["path"] == "Observation.component.value[x]"


def test_slices_of_slices_stand_behind_them(tmp_path: Path) -> None:
    slicing = {"discriminator": [{"type": "value", "path": "system"}], "rules": "open"}
    found = _snapshot(
        tmp_path,
        "Patient",
        _el("Patient.identifier", slicing=slicing),
        _el("Patient.identifier:a", max="2"),
        _el("Patient.identifier:b"),
        _el("Patient.identifier:a", slicing=slicing),
        _el("Patient.identifier:a/one", max="1"),
        _el("Patient.identifier:b/one"),
        _el("Patient.identifier:a/two"),
    )
    assert [key.rpartition(":")[2] for key in found if key.startswith("Patient.identifier:")] == [
        *("a", "a/one", "a/two", "b", "b/one"),
    ]
    assert found["Patient.identifier:a"]["slicing"] == slicing
    assert "slicing" not in found["Patient.identifier:a/one"]


def test_a_profile_adds_slices_to_those_of_its_base(tmp_path: Path) -> None:
    slicing = {"discriminator": [{"type": "value", "path": "system"}], "rules": "open"}
    base = profile(
        "base", "Patient", _el("Patient.identifier", slicing=slicing), _el("Patient.identifier:a.system", min=1)
    )
    found = _snapshot(
        tmp_path, "#base", _el("Patient.identifier:b"), _el("Patient.identifier:a.value", min=1), further=(base,)
    )
    assert found["Patient.identifier:a.system"]["min"] == 1
    assert found["Patient.identifier:a.value"]["min"] == 1
    assert list(found).index("Patient.identifier:b") > list(found).index("Patient.identifier:a.assigner")


def test_closed_slicing_stays_closed(tmp_path: Path) -> None:
    by_system = [{"type": "value", "path": "system"}]
    closed = {"discriminator": by_system, "rules": "closed"}
    base = profile("base", "Patient", _el("Patient.identifier", slicing=closed), _el("Patient.identifier:a"))
    opened = _el("Patient.identifier", slicing={"discriminator": by_system, "rules": "open"})
    found = _snapshot(tmp_path, "#base", opened, further=(base,))
    assert found["Patient.identifier"]["slicing"]["rules"] == "closed"


def test_slicing_by_nothing_and_without_slices_is_dropped(tmp_path: Path) -> None:
    found = _snapshot(tmp_path, "Patient", _el("Patient.identifier", slicing={"rules": "open"}))
    assert "slicing" not in found["Patient.identifier"]


@pytest.mark.parametrize("name", ["extension", "modifierExtension"])
def test_extensions_are_sliced_by_url(tmp_path: Path, name: str) -> None:
    listed = [{"code": "Extension", "profile": ["urn:colour"]}]
    found = _snapshot(tmp_path, "Patient", _el(f"Patient.{name}:colour", max="1", type=listed))
    slicing = found[f"Patient.{name}"]["slicing"]
    assert slicing == {"discriminator": [{"type": "value", "path": "url"}], "ordered": False, "rules": "open"}
    assert found[f"Patient.{name}:colour"]["type"] == listed


def test_a_slice_of_an_extension_walks_into_its_profile(tmp_path: Path) -> None:
    extension = profile(
        "colour",
        "Extension",
        _el("Extension.url", fixedUri="urn:colour"),
        _el("Extension.value[x]", type=[{"code": "Coding"}]),
        kind="complex-type",
    )
    listed = [{"code": "Extension", "profile": [extension["url"]]}]
    found = _snapshot(
        tmp_path,
        "Patient",
        _el("Patient.extension:colour", type=listed),
        _el("Patient.extension:colour.value[x].system", min=1),
        further=(extension,),
    )
    assert found["Patient.extension:colour.url"]["fixedUri"] == "urn:colour"
    assert _codes(found["Patient.extension:colour.value[x]"]) == ["Coding"]
    assert found["Patient.extension:colour.value[x].system"]["min"] == 1


def test_the_types_of_a_choice_are_narrowed(tmp_path: Path) -> None:
    found = _snapshot(tmp_path, "Observation", _el("Observation.value[x]", type=[{"code": "string"}]))
    assert _codes(found["Observation.value[x]"]) == ["string"]


def test_a_slice_of_a_choice_has_the_type_it_is_named_after(tmp_path: Path) -> None:
    found = _snapshot(
        tmp_path,
        "Observation",
        _el("Observation.value[x]:valueQuantity", min=1),
        _el("Observation.value[x]:valueQuantity.system", min=1),
    )
    assert found["Observation.value[x]"]["slicing"] == {
        "discriminator": [{"type": "type", "path": "$this"}],
        "ordered": False,
        "rules": "open",
    }
    assert len(_codes(found["Observation.value[x]"])) == 11
    assert _codes(found["Observation.value[x]:valueQuantity"]) == ["Quantity"]
    assert found["Observation.value[x]:valueQuantity.system"]["base"]["path"] == "Quantity.system"


def test_the_short_name_of_a_choice_is_a_slice_and_closes_it(tmp_path: Path) -> None:
    found = _snapshot(
        tmp_path,
        "Observation",
        _el("Observation.valueQuantity", min=1),
        _el("Observation.valueQuantity.code", min=1),
        _el("Observation.valueString", max="1"),
    )
    assert _codes(found["Observation.value[x]"]) == ["Quantity", "string"]
    assert found["Observation.value[x]"]["slicing"]["rules"] == "closed"
    assert found["Observation.value[x]:valueQuantity"]["path"] == "Observation.value[x]"
    assert found["Observation.value[x]:valueQuantity.code"]["min"] == 1
    assert _codes(found["Observation.value[x]:valueString"]) == ["string"]


def test_the_short_name_leaves_an_open_choice_open(tmp_path: Path) -> None:
    slicing = {"discriminator": [{"type": "type", "path": "$this"}], "rules": "open"}
    choice = _el("Observation.value[x]", slicing=slicing)
    found = _snapshot(tmp_path, "Observation", choice, _el("Observation.valueQuantity", min=0))
    assert found["Observation.value[x]"]["slicing"] == slicing
    assert len(_codes(found["Observation.value[x]"])) == 11


def test_an_element_of_several_types_has_id_and_extension_below_it(tmp_path: Path) -> None:
    found = _snapshot(tmp_path, "Observation", _el("Observation.value[x].extension:own", min=1))
    assert found["Observation.value[x].extension:own"]["min"] == 1
    with pytest.raises(SnapshotError, match="no element system there"):
        _snapshot(tmp_path, "Observation", _el("Observation.value[x].system", min=1))


def test_a_content_reference_unfolds_what_it_means(tmp_path: Path) -> None:
    found = _snapshot(tmp_path, "Questionnaire", _el("Questionnaire.item.item.text", min=1))
    reference = "http://hl7.org/fhir/StructureDefinition/Questionnaire#Questionnaire.item"
    assert found["Questionnaire.item.item"]["contentReference"] == reference
    assert found["Questionnaire.item.item.text"]["min"] == 1
    assert found["Questionnaire.item.item.item"]["contentReference"] == reference
    assert found["Questionnaire.item.text"]["min"] == 0


def test_ids_may_be_left_out(tmp_path: Path) -> None:
    slicing = {"discriminator": [{"type": "value", "path": "system"}], "rules": "open"}
    found = _snapshot(
        tmp_path,
        "Patient",
        {"path": "Patient"},
        {"path": "Patient.identifier", "slicing": slicing},
        {"path": "Patient.identifier", "sliceName": "a", "max": "1"},
        {"path": "Patient.identifier.assigner", "min": 1},
        {"path": "Patient.identifier.assigner.display", "min": 1},
        {"path": "Patient.identifier", "sliceName": "b"},
        {"path": "Patient.identifier.assigner.display", "max": "0"},
        {"path": "Patient.contact.name.family", "min": 1},
    )
    assert found["Patient.identifier:a.assigner.display"]["min"] == 1
    assert found["Patient.identifier:a.assigner.display"]["max"] == "1"
    assert found["Patient.identifier:b.assigner.display"]["min"] == 0
    assert found["Patient.identifier:b.assigner.display"]["max"] == "0"
    assert found["Patient.contact.name.family"]["min"] == 1


def test_a_base_without_a_snapshot_is_generated_first(tmp_path: Path) -> None:
    base = profile("base", "#root", _el("Patient.name", max="1"))
    root = profile("root", "Patient", _el("Patient.name", min=1))
    found = _snapshot(tmp_path, "#base", _el("Patient.gender", min=1), further=(base, root))
    assert (found["Patient.name"]["min"], found["Patient.name"]["max"], found["Patient.gender"]["min"]) == (1, "1", 1)


@pytest.mark.parametrize(
    ("base", "element", "text"),
    [
        ("urn:not-here", _el("Patient"), "its base urn:not-here is not known"),
        ("Patient", _el("Patient.nothing"), "the base has no element nothing there"),
        ("Patient", _el("Patient.valueQuantity"), "the base has no element valueQuantity there"),
        ("Observation", _el("Observation.valueNothing"), "the base has no element valueNothing there"),
        ("#x", _el("Patient"), "needs its own snapshot"),
    ],
)
def test_what_cannot_be_applied_is_named(tmp_path: Path, base: str, element: Json, text: str) -> None:
    with pytest.raises(SnapshotError, match=text) as caught:
        _snapshot(tmp_path, base, element)
    assert URL in str(caught.value)


def test_an_unknown_type_cannot_be_walked_into(tmp_path: Path) -> None:
    listed = [{"code": "Nothing"}]
    with pytest.raises(SnapshotError, match="its type Nothing is not known"):
        _snapshot(tmp_path, "Patient", _el("Patient.name", type=listed), _el("Patient.name.family", min=1))


def test_the_base_is_left_as_it_was(tmp_path: Path) -> None:
    rule = {"key": "own-1", "severity": "error", "expression": "true"}
    defs = definitions(tmp_path, profile("x", "Patient", _el("Patient.name", min=1, constraint=[rule])))
    assert defs.structure(URL) is not None
    base = defs.structure("Patient")
    assert base is not None
    name = next(element for element in base["snapshot"]["element"] if element["id"] == "Patient.name")
    assert name["min"] == 0
    assert [item["key"] for item in name["constraint"]] == ["ele-1"]
