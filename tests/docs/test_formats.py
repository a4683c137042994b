from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from tests.serving import serve

ROOT = Path(__file__).resolve().parents[2]


def test_the_commands_of_the_page_about_formats_hold(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")
    (script,) = re.findall(r"```sh formats\n(.*?)```", text, re.DOTALL)
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
        '"value":71.50',
        '<value value="71.50"/>',
        '  <total value="1"/>',
        "<Observation ",
        '<code value="not-found"/>',
        "406",
        "did you mean 'name'",
    ]
