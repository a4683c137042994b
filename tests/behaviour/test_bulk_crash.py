"""Bulk work over deaths: an export of a server that was killed, and its load into another, broken off too."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from typing import TYPE_CHECKING, Any

from fhirserver import jsontext
from fhirserver.cli import main
from tests.records import observation, patient
from tests.serving import COMMAND, Served, free_port, serve

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pytest

COUNT = 300
ENVIRON = {"FHIRSERVER_PROFILES": "core", "FHIRSERVER_JOB_LEASE": "2"}
BUNDLE = {
    "resourceType": "Bundle",
    "id": "b",
    "type": "collection",
    "entry": [{"resource": {"resourceType": "Basic", "code": {"text": "x"}}}],
}


def test_an_export_outlives_its_server_and_loads_elsewhere(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    resources = [patient(id="p"), BUNDLE, *(observation("p", id=f"o{number:04}") for number in range(COUNT))]
    port = free_port()
    with serve(tmp_path / "first", environ=ENVIRON, port=port) as served:
        _load(served, _written(tmp_path, resources))
        token = served.token("--operator")
        answer = served.call("GET", "$export", token, Prefer="respond-async")
        assert answer.status == 202
        status = answer.headers["content-location"].partition("/fhir/")[2]
        for _ in _until_progress(served, status, token):
            continue
        os.killpg(served.process.pid, signal.SIGKILL)
        served.process.wait()
    with serve(tmp_path / "first", environ=ENVIRON, port=port) as served:
        exported = tmp_path / "exported"
        exported.mkdir()
        for number, output in enumerate(_done(served, status, token)["output"]):
            file = served.call("GET", output["url"].partition("/fhir/")[2], token)
            (exported / f"{number}.ndjson").write_bytes(file.body)
    assert _of(exported) == _contents(resources)
    with serve(tmp_path / "second", "--workers", "1", environ=ENVIRON) as served:
        _break_off(served, exported, tmp_path)
        _load(served, exported, tmp_path / "journal")
        assert _searched(served) == _contents(resources)
        _indexed_anew(served, capsys)


def _indexed_anew(served: Served, capsys: pytest.CaptureFixture[str]) -> None:
    line = ["reindex", "--base", served.base, "--token"]
    assert main([*line, served.token("--operator"), "--type", "Observation"]) == 0
    assert f"{COUNT} resources looked through, 0 indexed anew" in capsys.readouterr().out
    assert main([*line, served.token("--patient", "p")]) == 1
    assert "operator" in capsys.readouterr().err


def _until_progress(served: Served, status: str, token: str) -> Iterator[None]:
    """Waits until the export has begun, or is over."""
    until = time.monotonic() + 300
    while time.monotonic() < until:
        answer = served.call("GET", status, token)
        if answer.status != 202 or answer.headers["x-progress"] != "waiting":
            return
        yield


def _done(served: Served, status: str, token: str) -> Any:
    until = time.monotonic() + 300
    while time.monotonic() < until:
        answer = served.call("GET", status, token)
        if answer.status != 202:
            assert answer.status == 200, answer
            return answer.json
        time.sleep(0.2)
    raise AssertionError("the export does not end")


def _break_off(served: Served, exported: Path, folder: Path) -> None:
    """Kills a load when a part has been acknowledged."""
    journal = folder / "journal"
    line = [COMMAND, *_words(served, exported, journal)]
    loading = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 300
    while time.monotonic() < until and not (journal.exists() and journal.stat().st_size > 33 * 30):
        time.sleep(0.01)
    loading.kill()
    loading.wait()


def _load(served: Served, path: Path, journal: Path | None = None) -> None:
    assert main(_words(served, path, journal or path.with_suffix(".journal"))) == 0


def _words(served: Served, path: Path, journal: Path) -> list[str]:
    return [
        "load", str(path), "--base", served.base, "--token", served.token("--operator"),
        "--journal", str(journal), "--rejected", str(journal.with_suffix(".rejected")),
    ]  # fmt: skip


def _written(folder: Path, resources: list[dict[str, Any]]) -> Path:
    path = folder / "all.ndjson"
    stored = ({**each, "meta": {"versionId": "1"}} for each in resources)
    path.write_bytes(b"".join(jsontext.dump(each) + b"\n" for each in stored))
    return path


def _of(folder: Path) -> dict[str, dict[str, Any]]:
    lines = [line for path in sorted(folder.iterdir()) for line in path.read_bytes().splitlines()]
    found = _contents([jsontext.parse_object(line) for line in lines])
    assert len(found) == len(lines), "something came twice"
    return found


def _searched(served: Served) -> dict[str, dict[str, Any]]:
    """All that the server has, page by page."""
    token = served.token("--operator")
    found = []
    for type in ("Patient", "Observation", "Bundle", "Basic"):
        path = f"{type}?_count=500"
        while path:
            bundle = served.call("GET", path, token).json
            found += [each["resource"] for each in bundle.get("entry", ())]
            links = {each["relation"]: each["url"] for each in bundle["link"]}
            path = links.get("next", "").partition("/fhir/")[2]
    return _contents(found)


def _contents(resources: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Resources by type and id, without what a server sets."""
    return {f"{each['resourceType']}/{each['id']}": {**each, "meta": None} for each in resources}
