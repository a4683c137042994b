"""The demo family has a thread, which Claire and her physician read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from fhirserver.cli.demo import PHYSICIAN
from tests.portal.record.conftest import load
from tests.portal.record.visiting import holder, logged_in, patient_named, professional

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize("profiles", ["core", "french"])
def test_the_demo_family_has_a_thread(applications: Callable[..., Any], profiles: str) -> None:
    with applications(profiles) as application:
        load(application)
        claire = patient_named(application, "Claire")
        own = logged_in(application, holder(claire)).get(f"/dossier/{claire}/messages")
        assert "Relevé de tension" in own.text
        doctor = logged_in(application, professional(PHYSICIAN))
        listed = doctor.get("/messages")
        assert "Claire EXEMPLE" in listed.text
        assert "1 non lu" in listed.text
        asked = {"part-of:missing": "true", "category": "urn:fhirserver:message|message"}
        (thread,) = application.practitioner(PHYSICIAN).search("Communication", **asked).ids
        assert "je commence demain" in doctor.get(f"/messages/{thread}").text
        stranger = application.practitioner("10000000099")
        assert stranger.search("Communication").ids == []
