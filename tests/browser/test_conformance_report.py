"""The report of a conformance run, as somebody reads it on a phone and at a desk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from fhirserver import jsontext
from fhirserver.conformance import Campaign, ScriptResult, collect
from fhirserver.conformance.operating import Server
from fhirserver.conformance.reports import REPORTS
from fhirserver.spec import Definitions
from tests.conformance.answering import Told, answering

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser

pytestmark = pytest.mark.program("chromium")
LONG = "x" * 400


def ask(name: str, *asserts: dict[str, Any]) -> dict[str, Any]:
    operation = {"type": {"code": "read"}, "resource": "Patient", "params": f"/p1?_elements={LONG}"}
    return {"name": name, "action": [{"operation": operation}, *({"assert": each} for each in asserts)]}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> list[ScriptResult]:
    """Two suites, of which a test failed; addresses and bodies are longer than any line."""
    folder = tmp_path_factory.mktemp("scripts")
    good, bad = {"response": "okay"}, {"response": "gone", "description": "it is gone"}
    for suite, tests in (("one", [ask("fine", good), ask("broken", bad)]), ("two", [ask("fine too", good)])):
        (folder / suite).mkdir()
        script = {"resourceType": "TestScript", "name": suite, "title": f"The script {suite}", "test": tests}
        (folder / suite / "script.json").write_bytes(jsontext.dump(script))
    patient = {"resourceType": "Patient", "id": "p1", "name": [{"family": LONG}]}
    with answering(lambda _: Told(200, patient, {"ETag": LONG})) as (base, _):
        campaign = Campaign({1: Server(base, {})}, Definitions.core(), lambda *_: [])
        return list(campaign.run(list(collect([folder], Definitions.core()))))


@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (390, "dark"), (1280, "light")])
def test_the_report_is_read_without_scrolling_sideways(
    chromium: Browser, results: list[ScriptResult], width: int, scheme: Any, tmp_path: Path
) -> None:
    file = tmp_path / "report.html"
    file.write_bytes(REPORTS["html"](results, f"http://127.0.0.1/{LONG}"))
    context = chromium.new_context(viewport={"width": width, "height": 844}, color_scheme=scheme)
    try:
        page, asked = context.new_page(), []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(file.as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert "2 passed" in page.inner_text("p")
        assert "1 failed" in page.inner_text("p")
        assert page.get_by_role("heading", name="What failed").is_visible()
        page.get_by_role("link", name="The script one: broken").click()
        assert page.get_by_text("status 200, gone was expected").last.is_visible()
        assert page.get_by_text('"resourceType": "Patient"').is_visible()
        page.get_by_text("The script two").click()
        assert page.get_by_text("fine too").is_visible()
        assert asked == [file.as_uri()]
    finally:
        context.close()
