"""Searches into other resources, over several types, at words and at codes: alike whether the hidden is there or not.

Limits too count what is seen alone: they are set to what Alice sees, so that one hidden resource more would show.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fhirserver.search import asked
from fhirserver.store import includes, joins
from tests.leaks.test_searching import SEEN
from tests.leaks.test_twin import same, twins

if TYPE_CHECKING:
    from tests.leaks.test_twin import Twins

__all__ = ["twins"]

ASKED = [
    "?_type=Observation,Patient,DocumentReference",
    "?_type=Observation,DocumentReference&patient=patient-p,patient-q,patient-r",
    "?_type=Observation,DocumentReference&_sort=-date&_count=2",
    "?_type=Observation,Patient&_count=1&_sort=-_id",
    "?_lastUpdated=gt2000&_summary=count",
    "?_id=hidden-q1,seen-p1",
    "Patient/patient-p/*",
    "Patient/patient-r/*",
    "Patient/patient-q/*?_type=Observation",
    "Observation?_filter=not (code eq 718-7)",
    "Observation?_filter=code ne 1-1",
    "Observation?_filter=not (subject:Patient.family eq Moreau)",
    "Observation?_filter=subject:Patient.family sw M or code eq 2160-0",
    "Observation?_filter=patient eq patient-q or patient eq patient-p",
    "Observation?_filter=performer:Patient.family eq Mercier",
    "Patient?_filter=_has:Observation:patient:code eq 2160-0 or family gt M",
    "Patient?_filter=not (_has:Observation:patient:code pr true)",
    "Patient?_filter=family ge Mercier and family le Moreau",
    "Patient?_sort=-family&_filter=family pr true",
    "Observation?patient=patient-p&_content=final",
    "Observation?patient=patient-q&_content=final",
    "Observation?code=718-7&_content=final",
    "Observation?code=2160-0&_content=not zzz",
    "Observation?_content=final",
    "DocumentReference?patient=patient-p&_content=MASQUE_PS",
    "DocumentReference?patient=patient-p&_content=not zzz",
    "Patient?_id=patient-p,patient-q,patient-r&_content=moreau or martin",
    "Observation?code:in=http://hl7.org/fhir/ValueSet/observation-codes",
    "Observation?code:in=ValueSet/hidden-q1",
    "Observation?code:in=http://hl7.org/fhir/ValueSet/ucum-units",
    "Observation?code:not-in=http://hl7.org/fhir/ValueSet/ucum-units",
    "Observation?status:in=http://hl7.org/fhir/ValueSet/observation-status",
    "DocumentReference?security-label:not-in=http://terminology.hl7.org/ValueSet/v3-ConfidentialityClassification",
]


@pytest.mark.parametrize("query", ASKED)
def test_they_are_alike(twins: Twins, query: str) -> None:
    first, second = twins.ask(lambda who: who.get(query))
    same(first, second)
    assert first.status in (200, 400)


@pytest.mark.parametrize("query", ASKED)
def test_they_are_alike_where_limits_are_what_is_seen(
    twins: Twins, query: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asked, "MOST_CODES", 0)
    monkeypatch.setattr(joins, "MOST", len(SEEN))
    monkeypatch.setattr(joins, "FEW", len(SEEN))
    monkeypatch.setattr(includes, "MOST", len(SEEN))
    first, second = twins.ask(lambda who: who.get(query))
    same(first, second)


def test_what_is_seen_is_found_by_them(twins: Twins) -> None:
    """That the answers are alike would say little if they were empty."""
    alice = twins.pair[0].alice
    found = {query: answer for query in ASKED if (answer := alice.get(query)).status == 200}
    assert sum(answer.json.get("total", 0) > 0 for answer in found.values()) > len(ASKED) / 2
    assert found["Observation?code=718-7&_content=final"].total == len(SEEN)
