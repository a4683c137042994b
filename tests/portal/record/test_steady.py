"""A page reads the policies of a record once for all its searches; what is decided in it counts at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fhirserver.portal.record.space import Space
from fhirserver.store.policies import Policies
from tests.portal.record.visiting import holder, logged_in, patient_named

if TYPE_CHECKING:
    import pytest

    from tests.application import Application


def test_the_searches_of_a_page_read_the_policy_once(demo: Application, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[Any] = []
    stamps = Policies._stamps
    monkeypatch.setattr(Policies, "_stamps", lambda *given: read.append(given[1]) or stamps(*given))  # type: ignore[func-returns-value]
    claire = patient_named(demo, "Claire")
    browser = logged_in(demo, holder(claire))
    read.clear()
    assert browser.get(f"/dossier/{claire}/biologie").status == 200
    once = len(read)
    read.clear()
    assert browser.get(f"/dossier/{claire}/profil").status == 200
    assert len(read) <= once + 2


def test_what_is_decided_within_a_page_counts_in_what_it_reads_afterwards(demo: Application) -> None:
    claire = patient_named(demo, "Claire")
    with demo.app.test_request_context("/"):
        space = Space(holder(claire), claire)
        before = len(space.search("Flag").resources)
        body = {"resourceType": "Flag", "status": "active", "code": {"text": "Chien d’assistance"}}
        made = space.ask("POST", "Flag", body | {"subject": {"reference": f"Patient/{claire}"}})
        assert len(space.search("Flag").resources) == before + 1
        space.ask("DELETE", str(made.headers["Location"]).partition("/fhir/")[2].partition("/_history")[0])
        assert len(space.search("Flag").resources) == before
