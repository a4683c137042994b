"""The suites that ship: written by `tools/conformance`, valid TestScripts, and passed by this server."""

from __future__ import annotations

import json
import re
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from fhirserver import jsontext
from fhirserver.conformance import collect
from fhirserver.conformance.requirements import requirements
from fhirserver.conformance.script import requirements as named
from fhirserver.conformance.shipped import folder
from fhirserver.spec import Definitions
from fhirserver.validation import Validator
from tests.serving import COMMAND
from tools.conformance.writing import files

if TYPE_CHECKING:
    from pathlib import Path

    from fhirserver.outcome import Issue
    from tests.conformance.conftest import Prepared

SUITES = sorted(each.name for each in folder().iterdir() if each.is_dir())


@pytest.mark.parametrize("suite", SUITES)
def test_this_server_passes(prepared: Prepared, suite: str, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    line = [COMMAND, "conformance", "run", "--base", prepared.server.base, "--roles", str(prepared.file)]
    done = subprocess.run(
        [*line, "--suite", suite, "--report", "json", "--output", str(report)],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told: dict[str, Any] = json.loads(report.read_text())
    assert told["tests"]["skip"] == 0
    assert told["tests"]["pass"] >= 3


def test_what_ships_is_what_the_tables_write() -> None:
    assert {name: (folder() / name).read_bytes() for name in files()} == files()


def test_every_script_is_a_valid_test_script_and_every_test_names_a_requirement_of_the_table() -> None:
    validator, known = Validator(Definitions.core(), profile_set="core"), requirements()
    for script in collect([folder()], Definitions.core()):
        filled = jsontext.parse_object(re.sub(rb"\$\{\w+\}", b"x", jsontext.dump(script.resource)))
        wrong = [each.text for each in validator.check(filled) if each.is_error and not _names_a_file(each)]
        assert not wrong, (script.name, wrong)
        for test in script.resource["test"]:
            assert named(test), (script.name, test["name"])
            assert set(named(test)) <= known.keys(), (script.name, test["name"])
        assert jsontext.dump(script.resource).count(b'"assert"') >= len(script.resource["test"])


def _names_a_file(issue: Issue) -> bool:
    """A fixture beside its script is named by its relative path, as TestScripts do."""
    return any(".fixture[" in each and each.endswith(".reference") for each in issue.expression)
