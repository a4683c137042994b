"""What the person is told goes after its time, when a setting says so."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from fhirserver.rest.tracing.keeping import Keeping

if TYPE_CHECKING:
    from tests.application import Application


PATIENT = {"resourceType": "Patient", "active": True, "name": [{"family": "Dupont"}]}


def test_notices_go_after_their_time_and_what_people_wrote_stays(application: Application) -> None:
    patient = application.operator().create(PATIENT)
    holder = application.patient(patient)
    application.operator().create(
        {
            "resourceType": "CareTeam",
            "status": "active",
            "subject": {"reference": f"Patient/{patient}"},
            "participant": [
                {"member": {"identifier": {"system": "https://rpps.esante.gouv.fr", "value": "10000000018"}}}
            ],
        }
    )
    message = {"resourceType": "Communication", "status": "completed", "subject": {"reference": f"Patient/{patient}"}}
    application.operator().create(message)
    assert application.practitioner("10000000018").get(f"Patient/{patient}").status == 200
    before = holder.search("Communication").total
    assert before >= 2
    later = application.under(notice_days=30).at(datetime.now(UTC) + timedelta(days=29))
    assert Keeping(later.services).forget_notices() == 0
    later = application.under(notice_days=30).at(datetime.now(UTC) + timedelta(days=31))
    assert Keeping(later.services).forget_notices() >= 1
    assert holder.search("Communication").total == 1
    assert Keeping(application.at(datetime.now(UTC) + timedelta(days=9999)).services).forget_notices() == 0
