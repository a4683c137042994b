"""The database and its writers are killed under load, again and again: what was acknowledged stays, nothing is torn."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
from pymongo import MongoClient

from fhirserver.predicate import Eq
from fhirserver.search import Query
from fhirserver.store import Embedded
from tests.store.standin import access, open_store

if TYPE_CHECKING:
    import pytest

    from fhirserver.store import View

ROUNDS = 3
"""Twenty in the long campaign."""
WRITES = 60
"""Acknowledged writes a round before the kill."""


def notes_of(file: Path) -> dict[str, int]:
    """The highest acknowledged version by id; the last line may be cut off."""
    lines = file.read_text().splitlines() if file.exists() else []
    return {id_: int(version) for id_, _, version in (line.partition(" ") for line in lines)}


def load_and_kill(embedded: Embedded, notes: Path, round_: int) -> None:
    command = [sys.executable, "-m", "tests.behaviour.crash_writer", embedded.uri, "fhir", str(notes), str(round_)]
    with subprocess.Popen(command, cwd=Path(__file__).parents[2]) as writer:
        wanted, until = len(notes_of(notes)) + WRITES // 2, time.monotonic() + 120
        while len(notes_of(notes)) < wanted:
            assert writer.poll() is None
            assert time.monotonic() < until, "the writers are too slow"
            time.sleep(0.02)
        assert embedded.pid is not None
        database = psutil.Process(embedded.pid)
        database.kill()
        writer.kill()
        database.wait(60)


def check(view: View, traces: set[str], id_: str, acknowledged: int) -> None:
    """That a resource stands at one version whole, with its history, index entries, twin and traces."""
    history = view.history("Observation", id_, 10)
    versions = [version.version for version in history.matches]
    newest = versions[0] if versions else 0
    assert newest >= acknowledged, f"{id_}: version {acknowledged} was acknowledged, {newest} is there"
    assert versions == list(range(newest, 0, -1))
    assert {trace for trace in traces if trace.startswith(f"{id_}/")} == {f"{id_}/{version}" for version in versions}
    assert (view.read("Observation", f"{id_}-twin") is None) == (newest == 0)
    for version in history.matches:
        assert version.deleted == (version.version == 3)
        assert version.deleted or json.loads(version.body)["at"] == version.version
    for version_, there in ((1, newest == 1), (2, newest == 2)):
        asked = Query("Observation", (Eq("t", f"code||{id_}"), Eq("t", f"code||v{version_}")))
        assert [match.version for match in view.search(asked).matches] == ([version_] if there else [])


def test_whatever_was_acknowledged_survives_a_kill_and_nothing_is_half_stored(
    tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    embedded = Embedded(tmp_path / "data")
    embedded.start()
    notes, checked = tmp_path / "notes", 0
    rounds = 20 if pytestconfig.getoption("--long") else ROUNDS
    for round_ in range(rounds):
        load_and_kill(embedded, notes, round_)
        embedded.ensure()
        store = open_store(embedded.uri, "fhir")
        traces = traces_of(embedded.uri)
        acknowledged = notes_of(notes)
        begun = {trace.partition("/")[0] for trace in traces} | set(acknowledged)
        mine = {id_ for id_ in begun if id_.startswith(f"r{round_}-")}
        for id_ in mine | set(sorted(begun)[::10]):
            check(store.view(access()), traces, id_, acknowledged.get(id_, 0))
        checked += len(mine)
        store.close()
    embedded.stop()
    assert checked >= rounds * WRITES // 2


def traces_of(uri: str) -> set[str]:
    with MongoClient[dict[str, Any]](uri) as client:
        return {row["_id"] for row in client["fhir"]["trace"].find({}, {"_id": 1})}
