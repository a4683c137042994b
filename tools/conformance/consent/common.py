"""A record of one's own for each script: a person, whose physician it is, what he sees and what he does not."""

from __future__ import annotations

from typing import Any, Final

from tools.conformance.building import MATCHES, Part, ask, case, says, script, status, variable

SYSTEM: Final = "urn:fhirserver:conformance"
OURS: Final = f"identifier={SYSTEM}|${{run}}"
"""Only what this run has made."""
OPERATOR, PHYSICIAN, OTHER = 1, 2, 3
"""The origins of the scripts of `record`."""
_TERMINOLOGY: Final = "http://terminology.hl7.org/CodeSystem"
_ACT_CODE: Final = f"{_TERMINOLOGY}/v3-ActCode"
MASKED: Final[Part] = {"meta": {"security": [{"code": "MASQUE_PS"}]}}


def reference(to: str) -> dict[str, str]:
    return {"reference": to}


def observation(letter: str, code: str = "718-7", of: str = "${person}", **more: Any) -> Part:
    """An Observation whose `bodySite.text` is its letter, by which it is known in what is found."""
    return {
        "resourceType": "Observation",
        "identifier": [{"system": SYSTEM, "value": "${run}"}, {"system": SYSTEM, "value": f"${{run}}-{letter}"}],
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": code}]},
        "subject": reference(f"Patient/{of}"),
        "effectiveDateTime": "2026-01-15",
        "bodySite": {"text": letter},
        **more,
    }


def amount(value: float) -> Part:
    return {"valueQuantity": {"value": value, "unit": "g/dL", "system": "http://unitsofmeasure.org", "code": "g/dL"}}


def consent(type: str, *actors: str, of: str = "${person}", **provision: Any) -> Part:
    """A Consent that permits or denies access, to the actors named or to all."""
    role = {"coding": [{"system": f"{_TERMINOLOGY}/v3-ParticipationType", "code": "IRCP"}]}
    named = {"actor": [{"role": role, "reference": reference(each)} for each in actors]} if actors else {}
    return {
        "resourceType": "Consent",
        "status": "active",
        "scope": {"coding": [{"system": f"{_TERMINOLOGY}/consentscope", "code": "patient-privacy"}]},
        "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}],
        "patient": reference(f"Patient/{of}"),
        "dateTime": "2026-01-01T00:00:00Z",
        "performer": [reference(f"Patient/{of}")],
        "policyRule": {"coding": [{"system": _ACT_CODE, "code": "OPTIN"}]},
        "provision": {"type": type, **named, **provision},
    }


PERSON: Final = {"resourceType": "Patient", "active": True, "name": [{"family": "ESSAI${run}", "given": ["Lou"]}]}
CARE: Final = {
    "resourceType": "CareTeam",
    "status": "active",
    "subject": reference("Patient/${person}"),
    "participant": [{"member": reference("Practitioner/${physicianId}")}],
}


def record(name: str, title: str, *tests: Part, fixtures: dict[str, Any], cared: bool = True, **more: Any) -> Part:
    """A script about a person whom the physician cares for, unless `cared` is false, and whom the other does not."""
    own = {"person": PERSON, **({"care": CARE} if cared else {}), **fixtures}
    named = tuple(variable(each, each, "id") for each in own if not each.startswith("-"))
    roles = ("operator", "physician", "other-physician", *more.pop("roles", ()))
    variables = (*named, *more.pop("variables", ()))
    return script(f"consent-{name}", title, *tests, roles=roles, fixtures=own, variables=variables, **more)


def finds(letters: str) -> tuple[Part, Part]:
    """The Observations found are just these, in any order."""
    found = f"{MATCHES}.ofType(Observation).bodySite.text"
    each = " or ".join(f"$this = '{letter}'" for letter in letters)
    alike = f" and {found}.isDistinct() and {found}.all({each})" if letters else ""
    text = f"it finds {', '.join(letters) or 'nothing'}"
    return status(200), says(f"{found}.count() = {len(letters)}{alike}", text=text)


def search(name: str, requirement: str, criteria: str, letters: str, *, origin: int = PHYSICIAN) -> Part:
    """A search among what this run has made."""
    return case(name, requirement, ask("search", "Observation", f"?{OURS}&{criteria}", origin=origin), *finds(letters))


def hidden(url: str, *, origin: int = PHYSICIAN, **more: Any) -> tuple[Part, Part]:
    """It is answered as if it had never been: 404, not 403 nor 410."""
    return ask("", url=url, origin=origin, **more), status(404)


def shown(url: str, *, origin: int = PHYSICIAN) -> tuple[Part, Part]:
    return ask("", url=url, origin=origin), status(200)
