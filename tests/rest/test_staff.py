"""Staff under a professional's responsibility: his right, and both names in the trace."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fhirserver.access import Access, Delegate, Requester
from tests import records
from tests.application import application, applications, embedded_uri

if TYPE_CHECKING:
    from tests.application import Application, Caller

__all__ = ["application", "applications", "embedded_uri"]

ALICE, BOB = "10000000001", "10000000002"


def staff(application: Application, delegate: Delegate | None) -> Caller:
    return application.caller(
        Requester("practitioner", f"practitioner/{ALICE}", rpps=ALICE, profession="G15_10", delegate=delegate)
    )


def test_staff_read_and_deposit_in_the_professionals_right_and_the_trace_names_both(application: Application) -> None:
    operator = application.operator()
    operator.store(records.practitioner(ALICE, id="alice"))
    operator.store(records.practitioner(BOB, id="bob"))
    operator.store(records.patient(id="p"))
    operator.store(records.care_team("p", "Practitioner/alice", id="t"))
    operator.store(records.observation("p", id="o"))
    secretary, bob = (
        staff(application, Delegate("secretary-7", None, "Anne Petit")),
        staff(application, Delegate(BOB, BOB)),
    )
    assert [each.get("Observation/o").status for each in (secretary, bob)] == [200, 200]
    made = secretary.create(records.observation("p"))
    operator.store(records.consent("p", "deny", "Practitioner/bob") | {"id": "c"})
    assert [each.get("Observation/o").status for each in (secretary, bob)] == [200, 404]
    assert [each.search("Observation").total for each in (secretary, bob)] == [2, 0]
    assert staff(application, None).put(f"Observation/{made}", records.observation("p", id=made)).status == 200
    traces = list(application.services.store.traces(Access.system("test")))
    named = [(each["who"]["rpps"], each["who"]["delegate"]) for each in traces if "delegate" in each["who"]]
    assert (ALICE, {"id": "secretary-7", "name": "anne petit^Anne Petit"}) in named
    assert (ALICE, {"id": BOB, "rpps": BOB}) in named
