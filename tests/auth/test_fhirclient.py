"""SMART clients of others making launches against this server, over real HTTP, with a person at the pages."""

from __future__ import annotations

import json
import shutil
import subprocess
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from fhirclient.client import FHIRClient
from fhirclient.models.observation import Observation

from tests import records
from tests.auth.serving import decided, house
from tests.portal.people import person

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.application import Application

__all__ = ["house"]

HERE = Path(__file__).parent / "smart"
REDIRECT = "http://127.0.0.1/smart-app"


def test_a_smart_app_launches_reads_and_refreshes(house: Application) -> None:
    who = person(house, totp=True)
    house.operator().create(records.observation(who.patient))
    app = FHIRClient(
        settings={
            "app_id": "app",
            "api_base": house.services.base,
            "redirect_uri": REDIRECT,
            "scope": "openid fhirUser offline_access launch/patient patient/*.read",
        }
    )
    location = decided(house, who, app.authorize_url, "tout")
    app.handle_callback(location)
    assert app.ready
    assert app.patient_id == who.patient
    assert app.patient.name[0].family == "EXEMPLE"
    found = list(Observation.where({}).perform_resources_iter(app.server))
    assert [each.subject.reference for each in found] == [f"Patient/{who.patient}"]
    before = app.server.auth.access_token
    assert app.reauthorize()
    assert app.server.auth.access_token != before
    assert len(list(Observation.where({}).perform_resources_iter(app.server))) == 1


def test_a_smart_app_is_told_when_the_person_refuses(house: Application) -> None:
    app = FHIRClient(settings={"app_id": "app", "api_base": house.services.base, "redirect_uri": REDIRECT})
    app.scope = "patient/*.read"
    location = decided(house, person(house, totp=True), app.authorize_url, "refuser")
    with pytest.raises(Exception, match="denied"):
        app.handle_callback(location)


@pytest.fixture(scope="module")
def app(house: Application, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an app by the fhirclient of JavaScript, which npm installs for the test run."""
    folder = tmp_path_factory.mktemp("smart")
    for name in ("package.json", "package-lock.json", ".npmrc", "app.mjs"):
        shutil.copy(HERE / name, folder)
    line = ["npm", "ci", "--prefer-offline", "--no-audit", "--no-fund", "--ignore-scripts"]
    done = subprocess.run(line, cwd=folder, capture_output=True, text=True, check=False, timeout=3000)
    assert done.returncode == 0, done.stderr
    scope = "openid fhirUser offline_access launch/patient patient/*.rs"
    line = ["node", "app.mjs", house.services.base, "app", scope]
    process = subprocess.Popen(line, cwd=folder, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


@pytest.mark.program("node", "npm")
def test_a_smart_app_in_javascript_launches_reads_and_refreshes(house: Application, app: str) -> None:
    who = person(house, totp=True)
    house.operator().create(records.observation(who.patient))
    url = _asked(f"{app}/launch").headers["location"]
    answer = _asked(decided(house, who, url, "tout"))
    url = answer.headers.get("location")
    told = json.load(_asked(url) if url else answer)
    assert told == {
        "patient": who.patient,
        "fhirUser": f"Patient/{who.patient}",
        "name": "EXEMPLE",
        "total": [1, 1],
        "replaced": [True, True],
    }


class _Staying(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: Any) -> None:
        """Redirects are looked at, not followed."""


def _asked(url: str) -> Any:
    try:
        return urllib.request.build_opener(_Staying).open(url, timeout=300)
    except urllib.error.HTTPError as error:
        return error
