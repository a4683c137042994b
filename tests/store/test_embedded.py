from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from pymongo import MongoClient
from pymongo.errors import OperationFailure

from fhirserver.store import Embedded, StoreError, embedded

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def running(folder: Path) -> Iterator[Embedded]:
    database = Embedded(folder)
    database.start()
    yield database
    database.stop()


def insert(uri: str, id_: str) -> None:
    with MongoClient[dict[str, Any]](uri) as client:
        client["x"]["y"].insert_one({"_id": id_})


def ids(uri: str) -> list[str]:
    with MongoClient[dict[str, Any]](uri, serverSelectionTimeoutMS=60_000) as client:
        return [row["_id"] for row in client["x"]["y"].find()]


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def kill(database: Embedded) -> psutil.Process:
    assert database.pid is not None
    process = psutil.Process(database.pid)
    process.kill()
    process.wait(60)
    return process


def test_nobody_without_the_password_gets_in(running: Embedded) -> None:
    open_uri = running.uri.replace(running.uri.partition("//")[2].partition("@")[0] + "@", "")
    with pytest.raises(OperationFailure):
        ids(open_uri)
    assert ids(running.uri) == []


def test_the_files_are_for_their_owner_only(running: Embedded) -> None:
    assert (mode(running.folder), mode(running.folder / "database")) == (0o700, 0o700)
    assert (mode(running.folder / "password"), mode(running.folder / "database.log")) == (0o600, 0o600)


def test_the_password_shows_in_no_command_line(running: Embedded) -> None:
    assert running.pid is not None
    command = psutil.Process(running.pid).cmdline()
    password = (running.folder / "password").read_text()
    assert not [word for word in command if password in word]
    assert "--auth" in command


def test_what_was_stored_is_there_after_a_stop_and_a_start(running: Embedded) -> None:
    insert(running.uri, "a")
    running.stop()
    assert running.pid is None
    assert ids(running.start()) == ["a"]


def test_a_second_server_on_the_folder_is_refused(running: Embedded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "LOCK_TIMEOUT", 0.1)
    with pytest.raises(StoreError, match="in use by another server"):
        Embedded(running.folder).start()
    insert(running.uri, "still here")


def test_a_database_that_is_held_by_another_process_is_refused(
    running: Embedded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "LOCK_TIMEOUT", 0.1)
    (running.folder / "lock").unlink()
    with pytest.raises(StoreError, match="in use by another process"):
        Embedded(running.folder).start()


def test_a_killed_database_comes_back_on_its_port(running: Embedded) -> None:
    uri = running.uri
    assert not running.ensure(), "it is alive"
    with MongoClient[dict[str, Any]](uri) as client:
        client["x"]["y"].insert_one({"_id": "a"})
        kill(running)
        assert running.ensure()
        assert running.uri == uri
        assert client["x"]["y"].find_one() == {"_id": "a"}


def test_a_watched_database_is_restarted_whenever_it_dies(running: Embedded) -> None:
    insert(running.uri, "a")
    running.watch()
    for _ in range(2):
        kill(running)
        assert ids(running.uri) == ["a"]
    running.stop()
    assert running.pid is None
    assert not [thread for thread in threading.enumerate() if thread.name == "database"]


def test_it_dies_with_the_process_that_started_it(folder: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from fhirserver.store import Embedded\n"
        "embedded = Embedded(Path(sys.argv[1]), sync=False); embedded.start()\n"
        "print(embedded.pid, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        database = psutil.Process(int(parent.stdout.readline()))
        assert os.getpgid(database.pid) != os.getpgid(parent.pid), "Ctrl-C in the terminal does not reach it"
        parent.kill()
        database.wait(60)
    after = Embedded(folder, sync=False)
    after.start()
    after.stop()


def test_a_first_start_that_was_cut_off_is_begun_again(folder: Path) -> None:
    folder.mkdir()
    (folder / "password.new").write_text("half")
    (folder / "database").mkdir()
    (folder / "database" / "WiredTiger").write_text("half")
    database = Embedded(folder, sync=False)
    assert ids(database.start()) == []
    database.stop()
    assert not (folder / "password.new").exists()


def test_a_new_database_that_someone_else_used_first_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    launch = Embedded._launch

    def intrude(self: Embedded, *, auth: bool) -> None:
        launch(self, auth=auth)
        if not auth:
            with MongoClient[dict[str, Any]](f"mongodb://127.0.0.1:{self._port}/?directConnection=true") as client:
                client.admin.command("createUser", "intruder", pwd="x", roles=["root"])

    monkeypatch.setattr(Embedded, "_launch", intrude)
    with pytest.raises(StoreError, match="Someone else"):
        Embedded(folder, sync=False).start()
    assert not (folder / "password").exists()


def test_a_lost_or_changed_password_is_told(running: Embedded) -> None:
    running.stop()
    password = running.folder / "password"
    kept = password.read_text()
    password.write_text("changed")
    with pytest.raises(StoreError, match="refuses the password"):
        running.start()
    password.unlink()
    with pytest.raises(StoreError, match="without its password"):
        running.start()
    password.write_text(kept)
    running.start()


def test_a_stray_configuration_is_not_read(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.mkdir()
    for place in (tmp_path, folder):
        (place / "secantusd.toml").write_text('host = "0.0.0.0"\n[server]\nhost = "0.0.0.0"\n')
    monkeypatch.chdir(tmp_path)
    database = Embedded(folder, sync=False)
    database.start()
    database.stop()
    log = (folder / "database.log").read_text()
    assert "loaded config from database.toml" in log
    assert "secantusd.toml" not in log


def test_a_database_that_does_not_start_says_where_to_look(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\necho no space left on device >&2\nexit 1\n")
    broken.chmod(0o700)
    monkeypatch.setattr(embedded, "_program", lambda: str(broken))
    with pytest.raises(StoreError, match=r"database\.log.*no space left"):
        Embedded(folder).start()


def test_without_the_program_the_extra_to_install_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(folder / "python"))
    monkeypatch.setenv("PATH", str(folder))
    with pytest.raises(StoreError, match=r"fhirserver\[embedded\]"):
        Embedded(folder).start()


def test_a_database_that_does_not_end_is_killed(running: Embedded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "STOP_TIMEOUT", 0.2)
    assert running.pid is not None
    os.kill(running.pid, signal.SIGSTOP)
    running.stop()
    assert running.pid is None


def test_an_old_long_log_makes_room(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "_LOG_LIMIT", 10)
    database = Embedded(folder, sync=False)
    database.start()
    database.stop()
    assert (folder / "database.log.1").exists()
