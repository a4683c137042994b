from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.serving import Served, serve

if TYPE_CHECKING:
    from collections.abc import Iterator

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serve(tmp_path_factory.mktemp("main-job") / "data", "--workers", "2", "--demo") as running:
        yield running


def test_the_main_job_holds_end_to_end(served: Served) -> None:
    line = [sys.executable, str(EXAMPLES / "main_job.py"), "--base", served.base, "--data", str(served.folder)]
    done = subprocess.run(line, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("ok ") == 13


@pytest.mark.parametrize("example", ["hospital", "laboratory"])
def test_who_sends_cda_documents_is_led_through_it(served: Served, example: str) -> None:
    line = [sys.executable, str(EXAMPLES / f"{example}.py"), "--base", served.base, "--data", str(served.folder)]
    done = subprocess.run(line, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "DocumentReference/" in done.stdout


def test_the_demo_family_is_there_and_its_physician_finds_it(served: Served) -> None:
    physician = served.token("--practitioner", "10000000018", "--profession", "G15_10")
    answer = served.call("GET", "Patient?family=exemple", physician)
    assert answer.json["total"] == 4
    lea = next(
        entry["resource"]["id"] for entry in answer.json["entry"] if entry["resource"]["birthDate"] == "2015-06-21"
    )
    results = served.call("GET", f"Observation?patient={lea}&code=http://loinc.org|718-7", physician)
    assert results.json["total"] == 2
    assert b'"value":13.3' in results.body


def test_another_physician_finds_nothing(served: Served) -> None:
    stranger = served.token("--practitioner", "10000000026", "--profession", "G15_10")
    assert served.call("GET", "Patient", stranger).json["total"] == 0
    assert served.call("GET", "Observation", stranger).json["total"] == 0
