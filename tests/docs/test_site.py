"""The documentation as a site, and the files for running the server: what they name is there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from fhirserver.cli import COMMANDS
from fhirserver.settings import PREFIX, Settings

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
NAMED = frozenset(f"{PREFIX}{each.upper()}" for each in Settings.__dataclass_fields__)


def test_the_site_builds_and_every_link_leads_somewhere(tmp_path: Path) -> None:
    line = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, env={"NO_MKDOCS_2_WARNING": "1"}, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    page = (tmp_path / "index.html").read_text()
    assert not re.search(r'(?:src|href)="https?://(?:fonts|cdn|unpkg)', page)


def test_deployment_files_name_settings_and_commands_that_there_are() -> None:
    text = "".join((DEPLOY / each).read_text() for each in ("Containerfile", "compose.yaml", "fhirserver.service"))
    assert set(re.findall(rf"{PREFIX}[A-Z_]+", text)) <= NAMED
    assert set(re.findall(r"bin/fhirserver ([a-z]+)", text)) <= set(COMMANDS)
    assert 'CMD ["serve"]' in text


def test_the_compose_file_has_three_members_and_secrets_from_files() -> None:
    read: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    assert {"mongo1", "mongo2", "mongo3", "server"} == set(read["services"])
    assert all("file" in each for each in read["secrets"].values())
    assert read["services"]["server"]["ports"] == ["127.0.0.1:8080:8080"]
