"""Where an extension may stand, by each kind of context (https://hl7.org/fhir/R4/defining-extensions.html#context)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.validation.crafted import BASE, element, structure, validator
from tests.validation.samples import NARRATIVE, errors

if TYPE_CHECKING:
    from pathlib import Path

OUTER, INNER = BASE + "outer", BASE + "inner"


def definition(name: str, *contexts: tuple[str, str], value: str = "string") -> dict[str, Any]:
    return structure(
        name,
        "Extension",
        element("Extension.url", fixedUri=BASE + name),
        element("Extension.value[x]", type=[{"code": value}]),
        context=[{"type": kind, "expression": expression} for kind, expression in contexts],
    )


def patient(**members: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", "text": NARRATIVE, **members}


def within(url: str, *inner: dict[str, Any]) -> dict[str, Any]:
    return {"url": url, "extension": list(inner)} if inner else {"url": url, "valueString": "x"}


def test_an_extension_of_extensions_stands_in_those_that_its_context_names(tmp_path: Path) -> None:
    made = validator(
        tmp_path,
        structure("outer", "Extension", element("Extension.url", fixedUri=OUTER)),
        structure("other", "Extension", element("Extension.url", fixedUri=BASE + "other")),
        definition("inner", ("extension", OUTER)),
    )
    inner = within(INNER)
    assert errors(made.check(patient(extension=[within(OUTER, inner)]))) == []
    assert errors(made.check(patient(_birthDate={"extension": [within(OUTER, inner)]}))) == []
    refused = ("extension-context", "Patient.extension[0].extension[0]")
    assert errors(made.check(patient(extension=[within(BASE + "other", inner)]))) == [refused]
    assert errors(made.check(patient(extension=[inner]))) == [("extension-context", "Patient.extension[0]")]


@pytest.mark.parametrize(
    ("expression", "use", "accepted"),
    [
        ("Patient.name.where(use = 'official')", "official", True),
        ("Patient.name.where(use = 'official')", "usual", False),
        ("name", "usual", True),
        ("Patient.contact.name", "official", False),
        ("Patient.name.exists()", "usual", True),
        ("Patient.deceased.exists()", "usual", False),
        ("Patient.name.((", "usual", True),
    ],
)
def test_an_extension_stands_on_what_a_fhirpath_context_selects(
    tmp_path: Path, expression: str, use: str, accepted: bool
) -> None:
    made = validator(tmp_path, definition("inner", ("fhirpath", expression)))
    resource = patient(name=[{"use": use, "family": "x", "extension": [within(INNER)]}])
    expected = [] if accepted else [("extension-context", "Patient.name[0].extension[0]")]
    assert errors(made.check(resource)) == expected


def test_a_fhirpath_context_may_select_a_primitive(tmp_path: Path) -> None:
    made = validator(tmp_path, definition("inner", ("fhirpath", "Patient.name.given"), ("element", "Patient.gender")))
    extended = {"extension": [within(INNER)]}
    good = patient(gender="male", _gender=extended, name=[{"given": ["a", "b"], "_given": [None, extended]}])
    assert errors(made.check(good)) == []
    bad = patient(name=[{"family": "a", "_family": extended}])
    assert errors(made.check(bad)) == [("extension-context", "Patient.name[0].family.extension[0]")]


def test_a_context_is_judged_within_the_contained_resource(tmp_path: Path) -> None:
    made = validator(tmp_path, definition("inner", ("fhirpath", "Organization.name")))
    contained: dict[str, Any] = {
        "resourceType": "Organization",
        "id": "o",
        "name": "x",
        "_name": {"extension": [within(INNER)]},
    }
    resource = patient(contained=[contained], managingOrganization={"reference": "#o"})
    assert errors(made.check(resource)) == []
    contained["alias"] = ["y"]
    contained["_alias"] = [contained.pop("_name")]
    found = errors(made.check(resource))
    assert found == [("extension-context", "Patient.contained[0].alias[0].extension[0]")]
