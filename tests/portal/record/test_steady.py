"""What the requests of a page share: the policies of the record, and one storing of their traces before the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fhirserver.access import Access
from fhirserver.audit.chain import digest
from fhirserver.errors import Unavailable
from fhirserver.portal.record.space import Space
from fhirserver.store import Store
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


def traces(application: Application) -> list[dict[str, Any]]:
    return list(application.services.store.traces(Access.system("test")))


def test_the_traces_of_a_page_are_stored_before_it_is_answered(demo: Application) -> None:
    claire = patient_named(demo, "Claire")
    browser = logged_in(demo, holder(claire))
    for path, asked in (("", 3), ("/partage", 4), ("/documents/never", 2)):
        before = {each["_id"] for each in traces(demo)}
        browser.get(f"/dossier/{claire}{path}")
        made = [each for each in traces(demo) if each["_id"] not in before]
        assert len(made) >= asked, path
        assert all(claire in each["pats"] for each in made if each["what"] == "read")
        made.sort(key=lambda each: str(each["_id"]))
        assert [each["prev"] for each in made[1:]] == [each["hash"] for each in made[:-1]]
        assert all(each["hash"] == digest(each) for each in made)


def test_a_page_whose_traces_cannot_be_stored_is_not_shown(demo: Application, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: Any) -> None:
        raise Unavailable("The database does not answer.")

    claire = patient_named(demo, "Claire")
    browser = logged_in(demo, holder(claire))
    monkeypatch.setattr(Store, "trace", away)
    page = browser.get(f"/dossier/{claire}/documents")
    assert (page.status, "Compte rendu" in page.html) == (503, False)
    assert page.headers["cache-control"] == "no-store"
