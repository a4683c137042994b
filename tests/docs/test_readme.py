from __future__ import annotations

import re
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.serving import COMMAND, serve

ROOT = Path(__file__).resolve().parents[2]


def test_the_tour_of_the_readme_holds_line_by_line(tmp_path: Path) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (tour,) = re.findall(r"```sh tour\n(.*?)```", text, re.DOTALL)
    with serve(tmp_path / "data", "--demo") as running:
        port = str(urlsplit(running.base).port)
        script = (
            tour.replace("8080", port)
            .replace(".venv/bin/fhirserver", COMMAND)
            .replace("--data data", f"--data {running.folder}")
        )
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script], capture_output=True, text=True, check=False, timeout=120
        )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.split() == [
        '"total":3', '"total":2', '"status":"active"', '"total":0', '"total":2', '"code":"login"',
    ]  # fmt: skip


@pytest.mark.parametrize(
    "page", sorted(path.relative_to(ROOT).as_posix() for path in (ROOT, ROOT / "docs") for path in path.glob("*.md"))
)
def test_links_between_pages_lead_somewhere(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    targets = [each.partition("#")[0] for each in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in each]
    assert [each for each in targets if each and not ((ROOT / page).parent / each).exists()] == []


def test_every_command_of_the_readme_exists() -> None:
    from fhirserver.cli import COMMANDS

    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `fhirserver (\w+)", text, re.MULTILINE)) == set(COMMANDS)
