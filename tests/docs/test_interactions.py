"""The commands of the pages about interactions hold, each page on a server of its own database."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.serving import serve

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.serving import Served

PAGES = Path(__file__).resolve().parents[2] / "docs" / "interactions"

TOLD = {
    "async": ['"type":"batch-response"', '"status":"200 OK"'],
    "bulk": ['"count":1', '"resourceType":"Patient"', "202"],
    "search-parameters": ['"total":1'],
    "conditional": ["201", "200", '"versionId":"2"', "204"],
    "history": ['"total":2', '"method":"DELETE"', '"method":"POST"', "1", "0"],
    "operations": ['"versionId":"2"', '"total":1', '"mode":"match"', '"mode":"match"'],
    "patch": ['"gender":"female"', '"family":"Ravel"', '"family":"Debussy"'],
    "bundles": [
        '"status":"200 OK"', '"status":"201 Created"', '"status":"404 Not Found"', '"code":"not-found"',
        '"code":"not-found"',
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("pages") / "data"
    with serve(folder, environ={"FHIRSERVER_PROFILES": "core"}) as found:
        yield found


@pytest.mark.parametrize("page", sorted(TOLD))
def test_the_commands_of_a_page_hold(running: Served, page: str) -> None:
    (script,) = re.findall(rf"```sh {page}\n(.*?)```", (PAGES / f"{page}.md").read_text(encoding="utf-8"), re.DOTALL)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=running.folder,
        env={**os.environ, "BASE": running.base, "TOKEN": running.token("--operator")},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines() == TOLD[page]
