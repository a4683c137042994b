from __future__ import annotations

from fhirserver.spec import Definitions

defs = Definitions.core()


def test_the_patient_compartment_names_the_parameters_that_confer_membership() -> None:
    patient = defs.compartment("Patient")
    assert patient["Observation"] == ("subject", "performer")
    assert patient["Patient"] == ("link",)
    assert "Practitioner" not in patient
    assert len(patient) == 66


def test_every_membership_parameter_exists() -> None:
    for code in ("Patient", "Encounter", "RelatedPerson", "Practitioner", "Device"):
        compartment = defs.compartment(code)
        assert compartment
        for name, parameters in compartment.items():
            assert set(parameters) <= defs.search_parameters(name).keys() | {"{def}"}, (code, name)


def test_an_unknown_compartment_is_empty() -> None:
    assert dict(defs.compartment("Nobody")) == {}
