"""The JavaScript client fhir-kit-client (https://www.npmjs.com/package/fhir-kit-client), run by node.

npm installs it, at the version of the lock file, into a folder that ends with the test run.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.clients.conftest import Connection

pytestmark = pytest.mark.program("node", "npm")

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def said(connection: Connection, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the script prints."""
    folder = tmp_path_factory.mktemp("node")
    for name in ("package.json", "package-lock.json", "kit.mjs"):
        shutil.copy(HERE / name, folder)
    _ran(["npm", "ci", "--prefer-offline", "--no-audit", "--no-fund", "--ignore-scripts"], folder)
    answer: dict[str, Any] = json.loads(_ran(["node", "kit.mjs", *connection], folder))
    return answer


def _ran(line: list[str], folder: Path) -> str:
    done = subprocess.run(line, cwd=folder, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_fhir_kit_client_creates_reads_updates_and_deletes(said: dict[str, Any]) -> None:
    assert said["version"] == "4.0.1"
    assert said["read"] == [{"family": "Kit", "given": ["Gabriel"]}]
    assert said["updated"] == "2"
    assert said["gone"] == [410, "OperationOutcome"]


def test_fhir_kit_client_searches_by_get_and_by_post(said: dict[str, Any]) -> None:
    assert said["search"] == said["posted"] == [said["family"][2]]
    assert said["compartment"] == ["Observation"]


def test_fhir_kit_client_includes(said: dict[str, Any]) -> None:
    assert said["include"] == ["Observation", "Patient"]


def test_fhir_kit_client_patches(said: dict[str, Any]) -> None:
    assert said["patched"] == "male"
    assert said["history"] == 2


def test_fhir_kit_client_pages(said: dict[str, Any]) -> None:
    family = said["family"]
    assert said["pages"] == [family[:2], family[2:4], family[4:]]


def test_fhir_kit_client_transacts_and_asks_for_everything(said: dict[str, Any]) -> None:
    assert said["transaction"] == ["201"]
    assert sorted(said["everything"]) == ["Observation", "Patient"]
