"""Several versions of one guide side by side."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from fhirserver.spec import Definitions, Package
from fhirserver.validation import Validator
from tests.validation.crafted import BASE, element, structure
from tests.validation.samples import NARRATIVE, errors

if TYPE_CHECKING:
    from pathlib import Path

URL = BASE + "p"


def guide(folder: Path, version: str, required: str) -> Package:
    """A guide whose Patient has names that need the element `required`."""
    folder.mkdir()
    name = structure("n", "HumanName", element(f"HumanName.{required}", min=1)) | {"version": version}
    profile = structure(
        "p", "Patient", element("Patient.name", min=1, type=[{"code": "HumanName", "profile": [BASE + "n"]}])
    ) | {"version": version}
    for resource in (name, profile):
        (folder / f"{resource['name']}.json").write_text(json.dumps(resource), "utf-8")
    return Package.from_folder(folder, "guide", version)


@pytest.fixture
def both(tmp_path: Path) -> Validator:
    new, old = guide(tmp_path / "new", "2.0.0", "family"), guide(tmp_path / "old", "1.0.0", "text")
    return Validator(Definitions([new, old, Package.core()]))


def patient(canonical: str, **name: str) -> dict[str, Any]:
    return {"resourceType": "Patient", "meta": {"profile": [canonical]}, "text": NARRATIVE, "name": [{**name}]}


@pytest.mark.parametrize(
    ("canonical", "needed"),
    [(URL, "family"), (URL + "|2.0.0", "family"), (URL + "|1.0.0", "text"), (URL + "|1", "text")],
)
def test_a_claimed_version_is_judged_by_what_its_own_package_means(
    both: Validator, canonical: str, needed: str
) -> None:
    assert both.check(patient(canonical, **{needed: "x"})) == []
    assert errors(both.check(patient(canonical, given="x"), ())) != []
    other = {"family": "text", "text": "family"}[needed]
    assert errors(both.check(patient(canonical, **{other: "x"}))) == [("min", f"Patient.name[0].{needed}")]


def test_both_versions_may_be_claimed_at_once(both: Validator) -> None:
    resource = patient(URL + "|1.0.0", given="")
    resource["meta"]["profile"].append(URL + "|2.0.0")
    resource["name"] = [{"use": "usual"}]
    places = {("min", "Patient.name[0].text"), ("min", "Patient.name[0].family")}
    assert set(errors(both.check(resource))) == places


def test_a_version_that_nobody_has_is_told_and_another_checked(both: Validator) -> None:
    found = both.check(patient(URL + "|3.0.0", text="x"))
    assert [(issue.severity, issue.rule, issue.expression[0]) for issue in found] == [
        ("warning", "profile-version", "Patient.meta.profile"),
        ("error", "min", "Patient.name[0].family"),
    ]
    assert "2.0.0 was checked" in found[0].text


def test_a_profile_whose_snapshot_cannot_be_made_is_told_as_unknown(tmp_path: Path) -> None:
    broken = structure("p", "Patient", base="http://example.org/nowhere")
    (tmp_path / "p.json").write_text(json.dumps(broken), "utf-8")
    made = Validator([Package.from_folder(tmp_path)])
    (issue,) = made.check(patient(URL, text="x"))
    assert (issue.severity, issue.rule) == ("warning", "profile-unknown")
