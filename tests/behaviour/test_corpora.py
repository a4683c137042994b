from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fhirserver import jsontext
from fhirserver.cli import main
from tests import corpus
from tests.serving import Served, serve

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.no_cover
NOT_VALID = {
    "ImplementationGuide-fhir.json": "`name` and `status` are required (1..1)",
    "DeviceUseStatement-example.json": "reasonReference may not point to a Procedure",
}
"""Official examples that R4 itself forbids, each with the rule that it breaks."""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("corpora") / "data"
    with serve(folder, "--workers", "2", "--profiles", "core") as running:
        yield running


@pytest.mark.corpus("examples-r4")
def test_every_official_example_is_stored_and_read_back_equal_digit_for_digit(served: Served) -> None:
    operator = served.token("--operator")
    refused, changed = {}, []
    for file in sorted(corpus.path("examples-r4").glob("*.json")):
        resource = jsontext.parse_object(file.read_bytes())
        path = f"{resource['resourceType']}/{resource['id']}"
        answer = served.call("PUT", path, operator, file.read_bytes())
        if answer.status != 201:
            refused[file.name] = answer.json["issue"]
            continue
        if _without_version(served.call("GET", path, operator).json) != _without_version(resource):
            changed.append(file.name)
    assert changed == []
    assert {name: issues for name, issues in refused.items() if name not in NOT_VALID} == {}
    assert set(refused) == set(NOT_VALID)


def _without_version(resource: dict[str, object]) -> bytes:
    """The resource as text with sorted keys, so that 1.0 and 1.00 differ; without what the server sets."""
    meta = dict(resource.get("meta") or {})  # type: ignore[call-overload]
    meta.pop("versionId", None)
    meta.pop("lastUpdated", None)
    servers = ("meta", "status", "error") if resource["resourceType"] == "Subscription" else ("meta",)
    whole = {key: value for key, value in resource.items() if key not in servers}
    return jsontext.dump(_sorted(whole | ({"meta": meta} if meta else {})))


def _sorted(value: object) -> object:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(each) for each in value] if isinstance(value, list) else value


@pytest.mark.corpus("synthea")
def test_every_synthea_bundle_loads_and_a_second_run_has_nothing_to_do(
    served: Served, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    line = ["load", str(corpus.path("synthea")), "--base", served.base, "--token", served.token("--operator")]
    assert main(line) == 0
    assert capsys.readouterr().out.startswith("5917 resources stored, 0 rejected, 0 done before")
    assert main(line) == 0
    assert capsys.readouterr().out.startswith("0 resources stored, 0 rejected, 24 done before")
    operator = served.token("--operator")
    assert served.call("GET", "Patient?identifier:missing=false&_summary=count", operator).json["total"] >= 24
    encounters = served.call("GET", "Encounter?_summary=count&patient:missing=false", operator).json["total"]
    assert encounters >= 553
