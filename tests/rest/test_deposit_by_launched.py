"""A deposit by INS through an app that was launched for one person."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fhirserver.access import Requester
from tests.records import patient

if TYPE_CHECKING:
    from tests.application import Application

INS = "urn:oid:1.2.250.1.213.1.4.8"
HERE, NOBODY = "180057512300194", "280057512300150"


def test_whether_another_person_has_a_record_is_not_told(application: Application) -> None:
    operator = application.operator()
    operator.store(patient(id="here", identifier=[{"system": INS, "value": HERE}]))
    operator.store(patient(id="mine"))
    who = Requester(
        "practitioner", "practitioner/1", rpps="10000000018", profession="G15_10", patient="mine",
        scopes=("patient/*.cruds",),
    )  # fmt: skip
    caller, answers = application.caller(who), []
    for number in (HERE, NOBODY):
        subject = {"identifier": {"system": INS, "value": number}}
        made = {"resourceType": "Observation", "status": "final", "code": {"text": "x"}, "subject": subject}
        answers.append(caller.post("Observation", made))
    assert [(each.status, each.told) for each in answers] == [
        (403, "The token's scopes do not cover this Observation (c).")
    ] * 2
