from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.serving import serve

ROOT = Path(__file__).resolve().parents[2]


def _blocks(language: str) -> list[str]:
    text = (ROOT / "docs" / "terminology.md").read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def test_the_commands_of_the_page_about_terminology_hold(tmp_path: Path) -> None:
    (script,) = _blocks("sh terminology")
    with serve(tmp_path / "data", environ={"FHIRSERVER_PROFILES": "core"}) as running:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            env={**os.environ, "BASE": running.base, "TOKEN": running.token("--operator")},
        )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines() == [
        '"total":1',
        '"valueBoolean":false',
        '"valueString":"mg/dL"',
        '"subsumes"',
        '"code":"H"',
        "http://loinc.org is not known here",
        "Patient.gender",
    ]


def test_the_commands_about_releases_hold(tmp_path: Path) -> None:
    (script,) = _blocks("sh releases")
    data = tmp_path / "data"
    with serve(data, environ={"FHIRSERVER_PROFILES": "core"}) as running:
        told = {"BASE": running.base, "TOKEN": running.token("--operator"), "DATA": str(data)}
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            cwd=tmp_path,
            env={**os.environ, **told, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines() == [
        "added ccam 1: 2 concepts",
        "ccam 1: 2 concepts",
        "Brossage d’écailles",
        '"subsumes"',
        "is no code of urn:oid:1.2.250.1.213.2.5",
    ]


def test_the_python_of_the_page_about_terminology_holds() -> None:
    (script,) = _blocks("python")
    exec(compile(script, "docs/terminology.md", "exec"), {})
