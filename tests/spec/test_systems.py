from __future__ import annotations

import re
from pathlib import Path

import fhirserver
from fhirserver.spec import systems

ROOT = Path(fhirserver.__file__).parent


def test_code_names_the_uri_of_a_code_system_in_one_place() -> None:
    named = "|".join(re.escape(uri) for name, uri in vars(systems).items() if name.isupper() and uri[-1] != "/")
    spelt = re.compile(f'"(?:{named})"')
    here = Path(systems.__file__)
    again = {
        str(file.relative_to(ROOT)): found
        for file in ROOT.rglob("*.py")
        if file != here and (found := [line for line in file.read_text("utf-8").splitlines() if spelt.search(line)])
    }
    assert set(again) == {"terminology/tables.py"}, again
    assert all(line.lstrip().startswith("b'") for line in again["terminology/tables.py"]), "the words of a dictionary"
