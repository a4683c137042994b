"""The official FHIRPath suite for R4."""

from __future__ import annotations

from typing import Final

import pytest

from tests import corpus
from tests.fhirpath import suite

LISTED: Final = {
    "LowBoundaryDecimal15": "expects -0.0 as the low boundary of -0.0034 to one digit: more than the value itself",
    "HighBoundaryDecimal15": "expects 0.0 as the high boundary of 0.0034 to one digit: less than the value itself",
    "HighBoundaryDecimal16": "minus the high boundary of 0.0034 to one digit, as above",
    "HighBoundaryDateTimeMillisecond1": "expects 08:00:59.999 as the last moment of the hour 08",
    "HighBoundaryDateTimeMillisecond3": "the same expression as HighBoundaryDateTimeMillisecond1",
}
"""Tests that the engine fails on purpose, each with the reason."""

CASES: Final = suite.cases() if corpus.present("fhirpath") else []


@pytest.mark.corpus("fhirpath")
@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_the_engine_answers_as_the_official_suite_says(case: suite.Case) -> None:
    fault = suite.fault(case)
    if case.name in LISTED:
        assert fault is not None, f"{case.name} passes: take it off the list"
    else:
        assert fault is None, f"{case.expression}: {fault}"


@pytest.mark.corpus("fhirpath")
def test_the_suite_is_whole_and_97_percent_pass() -> None:
    assert len(CASES) == 935
    assert set(LISTED) <= {case.name for case in CASES}
    assert 1 - len(LISTED) / len(CASES) >= 0.97
