"""docs/profiles.md tells of every definition."""

from __future__ import annotations

import re

import pytest

from fhirserver.spec import Definitions
from tests.profiles import repository

TEXT = (repository.ROOT / "docs" / "profiles.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| ([\w.-]+) \| (\w+) \| ([\w.-]+) \|", TEXT, re.MULTILINE)


def test_every_profile_has_a_row_with_its_type_and_parent() -> None:
    written = {
        (item["id"], item["type"], item["baseDefinition"].partition("|")[0].rpartition("/")[2])
        for item in repository.profiles()
    }
    assert written - set(ROWS) == set()


def test_no_row_tells_of_a_profile_that_is_gone() -> None:
    known = {item["id"] for kind in ("StructureDefinition", "SearchParameter") for item in repository.of_type(kind)}
    listed = re.findall(r"^\| ([\w.-]+) \| (?!---)", TEXT.partition("## Left out")[0], re.MULTILINE)
    assert [name for name in listed if name not in known and name != "id"] == []


def test_every_search_parameter_has_a_row() -> None:
    missing = [
        item["id"]
        for item in repository.of_type("SearchParameter")
        if f"| {item['id']} | {item['code']} | {', '.join(item['base'])} |" not in TEXT
    ]
    assert missing == []


@pytest.mark.parametrize("beginning", repository.ELSEWHERE)
def test_every_absence_is_explained(beginning: str) -> None:
    assert f"`{beginning}`" in TEXT


def test_the_example_of_the_page_runs() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    exec(compile(code, "docs/profiles.md", "exec"), {})


def test_the_unversioned_extension_is_the_newer_one() -> None:
    url = "http://hl7.org/fhir/StructureDefinition/patient-birthPlace"
    french, core = Definitions.french().find(url), Definitions.core().find(url)
    assert french is not None
    assert core is not None
    assert (french["version"], core["version"]) == ("5.2.0", "4.0.1")
