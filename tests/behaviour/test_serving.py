from __future__ import annotations

import os
import signal
import stat
import subprocess
import time
from typing import TYPE_CHECKING

import psutil
import pytest

from tests.serving import COMMAND, Served, free_port, serve

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    environ = {"FHIRSERVER_CLOCK": "2030-02-03T04:05:06Z"}
    with serve(tmp_path_factory.mktemp("serving") / "data", "--workers", "2", environ=environ) as running:
        yield running


def family(process: subprocess.Popen[str]) -> list[psutil.Process]:
    main = psutil.Process(process.pid)
    return [main, *main.children(recursive=True)]


def gone(processes: list[psutil.Process], seconds: float = 60) -> bool:
    return not psutil.wait_procs(processes, timeout=seconds)[1]


def refused(*options: str, environ: dict[str, str] | None = None) -> str:
    line = [COMMAND, "serve", *options]
    done = subprocess.run(
        line, capture_output=True, text=True, check=False, timeout=300, env={**os.environ, **(environ or {})}
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    return done.stderr


def test_an_empty_store_stays_empty_without_the_demo(served: Served) -> None:
    assert served.call("GET", "Patient?_summary=count", served.token("--operator")).json["total"] == 0


def test_the_folder_is_its_owner_s_alone(served: Served) -> None:
    assert stat.S_IMODE(served.folder.stat().st_mode) == 0o700
    assert all(stat.S_IMODE(each.stat().st_mode) & 0o077 == 0 for each in served.folder.iterdir() if each.is_file())


def test_an_occupied_port_is_refused(served: Served, tmp_path: Path) -> None:
    port = served.base.split(":")[2].split("/")[0]
    assert "Cannot listen" in refused("--port", port, "--embedded", str(tmp_path / "other"))


def test_a_second_server_on_the_folder_is_refused(served: Served) -> None:
    assert str(served.folder) in refused("--port", str(free_port()), "--embedded", str(served.folder))


def test_a_wrong_setting_is_named(tmp_path: Path) -> None:
    told = refused("--embedded", str(tmp_path / "data"), environ={"FHIRSERVER_TIMEZONE": "Nowhere"})
    assert "timezone" in told


def test_a_database_that_is_not_there_is_told(tmp_path: Path) -> None:
    told = refused("--port", str(free_port()), "--mongo", f"mongodb://127.0.0.1:{free_port()}/")
    assert "fhirserver serve" in told


def test_options_are_not_abbreviated(tmp_path: Path) -> None:
    done = subprocess.run(
        [COMMAND, "serve", "--embed", str(tmp_path)], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 2


def test_a_test_clock_moves_the_time_of_writes(served: Served) -> None:
    resource = {"resourceType": "Organization", "name": "o"}
    answer = served.call("POST", "Organization", served.token("--operator"), resource)
    assert answer.json["meta"]["lastUpdated"] == "2030-02-03T04:05:06.000Z"


def test_a_killed_database_is_started_again(served: Served) -> None:
    operator = served.token("--operator")
    database = next(each for each in family(served.process) if "secantus" in " ".join(each.cmdline()))
    database.kill()
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        answer = served.call("GET", "Patient?_summary=count", operator)
        if answer.status == 200:
            return
        assert answer.status == 503
        assert answer.json["resourceType"] == "OperationOutcome"
    raise AssertionError("the database did not come back")


def test_data_and_keys_outlive_sigterm_and_no_process_outlives_it_or_the_main_process(tmp_path: Path) -> None:
    with serve(tmp_path / "data") as first:
        operator = first.token("--operator")
        created = first.call(
            "PUT", "Organization/o", operator, {"resourceType": "Organization", "id": "o", "name": "o"}
        )
        assert created.status == 201
        processes = family(first.process)
        first.process.send_signal(signal.SIGTERM)
        assert first.process.wait(60) == 0
        assert gone(processes)
    with serve(tmp_path / "data") as second:
        assert second.call("GET", "Organization/o", operator).status == 200
        processes = family(second.process)
        assert len(processes) >= 4
        second.process.kill()
        assert gone(processes)
