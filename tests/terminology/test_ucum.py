from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhirserver.spec import Definitions
from fhirserver.terminology.ucum import LONGEST, is_unit

UNITS = """
    1 % m mm[Hg] 10*3/uL 10*-6 10^3 /min {score} mg/dL kg/m2 m-2 m+2 s-1 ug/(kg.h) (8.h) mmol/(8.h.kg) Cel [degF]
    [in_i'Hg] mL/min/{1.73_m2} B[10.nV] [m/s2/Hz^(1/2)] u[IU]/mL KiBy 2{beats} 10*{x} (g){dry}/L /(m.s) ' '' d a
    {Negative_Control} g%
"""
NONE = """
    / mmHg foo g//L g. .g (g g) () {a}{b} {a kmin m2m (g)2 {a{b}} mg/dl{é} m^2 +m )( g(L)
"""


@pytest.mark.parametrize("code", UNITS.split())
def test_these_are_units(code: str) -> None:
    assert is_unit(code)


@pytest.mark.parametrize("code", [*NONE.split(), "", "g L", "g/L ", "(" * 300, "m" * (LONGEST + 1)])
def test_these_are_none(code: str) -> None:
    assert not is_unit(code)


def test_the_common_units_of_the_specification_are_units() -> None:
    listed = Definitions.core().codes("http://hl7.org/fhir/ValueSet/ucum-common")
    assert listed is not None
    codes = listed["http://unitsofmeasure.org"]
    assert len(codes) > 1000
    assert [code for code in sorted(codes) if not is_unit(code)] == []


@given(st.text(alphabet="mgkL123/.(){}[]*^+-% ", max_size=30))
def test_a_product_of_units_is_a_unit_and_no_text_is_too_odd(text: str) -> None:
    if is_unit(text) and not text.startswith("/"):
        assert is_unit(f"{text}.{text}")
        assert is_unit(f"({text})/s")
