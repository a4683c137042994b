"""A server with one fault, whichever it is, does not pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fhirserver.conformance import Campaign, ScriptResult, collect
from fhirserver.conformance.operating import Server
from fhirserver.conformance.shipped import folder
from fhirserver.spec import Definitions
from tests.conformance.faulty import FAULTS, Fault, bearing
from tests.conformance.proxying import honest, proxying

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.conformance.conftest import Prepared
    from tests.conformance.proxying import Spoil

OPERATOR = ("rest/refusals", "audit/repository", "identity/deposit", "consent/reads", "consent/blocked")
"""Scripts that find it when everybody is let do what the operator may."""


def through(prepared: Prepared, spoil: Spoil, scripts: Sequence[str]) -> list[ScriptResult]:
    """What came of the scripts when they are run through the proxy."""
    definitions = Definitions.core()
    found = list(collect([folder() / f"{each}.json" for each in scripts], definitions))
    with proxying(prepared.server.base, spoil) as base:
        campaign = Campaign({1: Server(base, prepared.tokens)}, definitions, lambda *_: [], prepared.variables)
        return list(campaign.run(found))


def test_a_server_without_a_fault_passes_through_the_proxy(prepared: Prepared) -> None:
    scripts = sorted({*OPERATOR, *(each.script for each in FAULTS)})
    told = through(prepared, honest, scripts)
    assert len(told) == len(scripts)
    assert [(each.name, test.name) for each in told for test in each.tests if test.verdict != "pass"] == []


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_is_found(prepared: Prepared, fault: Fault) -> None:
    (told,) = through(prepared, fault.spoil, [fault.script])
    assert told.setup is not None
    assert not told.setup.failed
    assert "fail" in {each.verdict for each in told.tests}


@pytest.mark.parametrize("script", OPERATOR)
def test_it_is_found_when_everybody_is_the_operator(prepared: Prepared, script: str) -> None:
    (told,) = through(prepared, bearing(prepared.tokens["operator"]), [script])
    assert "fail" in {each.verdict for each in told.tests}


def test_there_are_faults_enough_each_with_a_name() -> None:
    assert len({each.name for each in FAULTS}) == len(FAULTS) >= 25
