"""`python -m bench.others`: the suites rest and search against HAPI FHIR, from Maven Central, on a database in memory.

Takes Java 17 and Maven; the first time some 300 MB are fetched.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final

from fhirserver import jsontext
from fhirserver.conformance.operating import JSON
from fhirserver.conformance.wire import Wire

if TYPE_CHECKING:
    from collections.abc import Iterator

PROJECT: Final = Path(__file__).parent / "hapi"
SUITES: Final = ("rest", "search")


@contextlib.contextmanager
def serving() -> Iterator[str]:
    """The base of a HAPI server of one's own."""
    with tempfile.TemporaryDirectory() as place:
        target = f"-Dtarget={place}"
        line = ["mvn", "--quiet", "--batch-mode", "--file", str(PROJECT), target, "compile", "exec:java"]
        with subprocess.Popen(line, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
            try:
                yield _ready(process)
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGTERM)


def _ready(process: subprocess.Popen[str]) -> str:
    said = []
    for each in process.stdout or ():
        if each.startswith("ready "):
            threading.Thread(target=process.stdout.read if process.stdout else None, daemon=True).start()
            return each.split()[1]
        said.append(each)
    raise SystemExit("".join(said[-20:]))


def patient(base: str) -> str:
    """The id of a new Patient."""
    wire = Wire()
    answer = wire.send("POST", f"{base}/Patient", {"Content-Type": JSON}, b'{"resourceType": "Patient"}').answer
    wire.close()
    return str(jsontext.parse_object(answer.content)["id"])


def main() -> int:
    with serving() as base:
        command = str(Path(sys.executable).parent / "fhirserver")
        line = [command, "conformance", "run", "--base", base, "--token", "operator=none"]
        for name in ("patientId", "otherPatientId"):
            line += ["--variable", f"{name}={patient(base)}"]
        for name in SUITES:
            line += ["--suite", name]
        return subprocess.run([*line, *sys.argv[1:]], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
