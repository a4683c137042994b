from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from fhirserver.search import bindings
from fhirserver.search.parameters import Catalogue
from fhirserver.search.paths import Leaf
from fhirserver.search.terms import LONG
from tests.search.naive import BASE

if TYPE_CHECKING:
    from fhirserver.search import Indexer
    from fhirserver.spec import Definitions

LOINC = "http://loinc.org"


def test_the_terms_of_an_observation(indexer: Indexer) -> None:
    found = indexer.index(
        {
            "resourceType": "Observation",
            "id": "o",
            "status": "final",
            "code": {"coding": [{"system": LOINC, "code": "718-7", "display": "Hémoglobine"}]},
            "subject": {"reference": "Patient/1"},
            "effectiveDateTime": "1970-01-01T00:00:00Z",
        }
    )
    assert found.pat == "1"
    assert found.patx == ()
    assert found.t == ["code||718-7", f"code|{LOINC}|718-7", "status|=|final", "subject|Patient/1"]
    assert found.d == {"code:text": [{"s": "hemoglobine"}], "date": [{"lo": 0, "hi": 1_000_000}]}
    assert found.s == {
        "code": {"lo": "718-7", "hi": "718-7"},
        "combo-code": {"lo": "718-7", "hi": "718-7"},
        "date": {"lo": 0, "hi": 1_000_000},
        "patient": {"lo": "Patient/1", "hi": "Patient/1"},
        "status": {"lo": "final", "hi": "final"},
        "subject": {"lo": "Patient/1", "hi": "Patient/1"},
    }


def test_a_name_is_one_term_for_its_start_its_inside_and_its_exact_form(indexer: Indexer) -> None:
    found = indexer.index({"resourceType": "Patient", "id": "p", "name": [{"family": "Été", "given": ["léo", "léo"]}]})
    assert found.t == ["deceased||false", "family^ete^Été", "given^leo^léo", "name^ete^Été", "name^leo^léo"]


def test_long_values_are_hashed(indexer: Indexer) -> None:
    value = "v" * 500
    found = indexer.index({"resourceType": "Patient", "id": "p", "identifier": [{"system": "s" * 500, "value": value}]})
    assert max(len(term) for term in found.t) < 2 * LONG
    assert found.s["identifier"] == {"lo": "v" * 100, "hi": "v" * 100}


@pytest.mark.parametrize(
    ("resource", "pat", "patx"),
    [
        ({"resourceType": "Patient", "id": "p", "link": [{"other": {"reference": "Patient/q"}}]}, "p", ()),
        ({"resourceType": "Observation", "subject": {"reference": f"{BASE}/Patient/1"}}, "1", ()),
        ({"resourceType": "Observation", "subject": {"reference": "Patient/1/_history/3"}}, "1", ()),
        ({"resourceType": "Observation", "subject": {"reference": "http://other.org/Patient/1"}}, None, ()),
        ({"resourceType": "Observation", "subject": {"reference": "Group/1"}}, None, ()),
        ({"resourceType": "Observation", "subject": {"identifier": {"value": "1"}}}, None, ()),
        (
            {
                "resourceType": "Observation",
                "performer": [{"reference": "Patient/2"}, {"reference": "Patient/1"}, {"reference": "Patient/3"}],
                "subject": {"reference": "Patient/1"},
            },
            "1",
            ("2", "3"),
        ),
        ({"resourceType": "Observation", "focus": [{"reference": "Patient/1"}]}, None, ()),
        (
            {
                "resourceType": "Coverage",
                "payor": [{"reference": "Patient/4"}],
                "beneficiary": {"reference": "Patient/3"},
                "policyHolder": {"reference": "Patient/1"},
            },
            "1",
            ("3", "4"),
        ),
        ({"resourceType": "Organization", "name": "Patient/1"}, None, ()),
        (
            {
                "resourceType": "Appointment",
                "participant": [{"actor": {"reference": "Practitioner/9"}}, {"actor": {"reference": "Patient/1"}}],
            },
            "1",
            (),
        ),
    ],
)
def test_the_patients_of_the_compartment(
    indexer: Indexer, resource: dict[str, Any], pat: str | None, patx: tuple[str, ...]
) -> None:
    found = indexer.index({"id": "x", **resource})
    assert (found.pat, found.patx) == (pat, patx)


def test_what_repeats_another_parameter_keeps_no_terms_of_its_own(defs: Definitions) -> None:
    offered = Catalogue(defs).of("Observation").offered
    assert [source.code for source in offered["combo-code"].sources] == ["code", "component-code"]
    assert [tuple(source[:2]) for source in offered["patient"].sources] == [("subject", "Patient")]
    assert [source.code for source in offered["combo-value-quantity"].sources] == [
        "component-value-quantity",
        "value-quantity",
    ]
    assert offered["code"].stored


def test_every_type_can_be_indexed(defs: Definitions, indexer: Indexer) -> None:
    for name in defs.resource_types:
        found = indexer.index({"resourceType": name, "id": "x"})
        assert found.t == (["deceased||false"] if name == "Patient" else [])
        assert found.pat == ("x" if name == "Patient" else None)


@pytest.mark.parametrize(
    "wrong", [7, "x", True, None, [], {}, [None], [[{}]], {"coding": 3}, {"value": "x"}, [7, "x", {}]]
)
def test_values_of_another_shape_are_passed_over(defs: Definitions, indexer: Indexer, wrong: Any) -> None:
    for name in ("Patient", "Observation", "Encounter", "DocumentReference", "Bundle", "RiskAssessment", "CarePlan"):
        for member in defs.type(name).properties:
            if member != "id":
                indexer.index({"resourceType": name, "id": "x", member: wrong})


def test_unknown_types_have_no_index(indexer: Indexer) -> None:
    with pytest.raises(KeyError):
        indexer.index({"resourceType": "Spaceship", "id": "x"})


def test_a_parameter_for_one_type_of_target_leaves_the_others_out(indexer: Indexer) -> None:
    group = indexer.index({"resourceType": "Observation", "id": "x", "subject": {"reference": "Group/1"}})
    assert "subject" in group.s
    assert "patient" not in group.s
    agents = [{"who": {"reference": "Practitioner/1"}}, {"who": {"reference": "Patient/2"}}]
    event = indexer.index({"resourceType": "AuditEvent", "id": "x", "agent": agents})
    assert [term for term in event.t if term.startswith("patient")] == ["patient|Patient/2"]
    assert event.pat == "2"


def test_the_subject_stands_before_all_other_patients(defs: Definitions) -> None:
    assert Catalogue(defs).of("MedicationAdministration").compartment == ("subject", "patient", "performer")


def test_codes_of_no_known_system_are_compared_without_case(defs: Definitions) -> None:
    assert bindings.mode(defs, Leaf(("shoe",), "code", False, "Patient", "shoe")) == ("folded", frozenset())
    assert bindings.mode(defs, Leaf(("shoe",), "code", False, "Shoe", "size")) == ("folded", frozenset())
