"""Evaluations a second of the FHIRPath engine, each beside a Python loop that does the same by hand.

python -m bench.fhirpath [--seconds 0.5]
"""

from __future__ import annotations

import argparse
import time
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from fhirserver import fhirpath
from fhirserver.fhirpath import Env
from fhirserver.spec import Definitions

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENT: Final[dict[str, Any]] = {
    "resourceType": "Patient",
    "id": "p1",
    "text": {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml"><p>Jeanne Martin</p></div>'},
    "contained": [{"resourceType": "Organization", "id": "o1", "name": "Centre"}],
    "identifier": [{"system": "urn:oid:1.2.3", "value": "42"}],
    "active": True,
    "name": [{"use": "official", "family": "Martin", "given": ["Jeanne", "Anne"]}],
    "gender": "female",
    "birthDate": "1974-12-25",
    "managingOrganization": {"reference": "#o1"},
}
OBSERVATION: Final[dict[str, Any]] = {
    "resourceType": "Observation",
    "status": "final",
    "code": {"coding": [{"system": "http://loinc.org", "code": "718-7"}]},
    "valueQuantity": {"value": Decimal("7.2"), "unit": "g/dL", "system": "http://unitsofmeasure.org", "code": "g/dL"},
}
DOM_3: Final = (
    "contained.where((('#'+id in (%resource.descendants().reference | %resource.descendants().as(canonical) | "
    "%resource.descendants().as(uri) | %resource.descendants().as(url))) or descendants().where(reference = '#')"
    ".exists() or descendants().where(as(canonical) = '#').exists() or descendants().where(as(canonical) = '#')"
    ".exists()).not()).trace('unmatched', id).empty()"
)


def given(patient: dict[str, Any]) -> list[Any]:
    return [each for name in patient.get("name", ()) for each in name.get("given", ())]


def typed_given(patient: dict[str, Any]) -> list[Any]:
    return [("string", each, None) for name in patient.get("name", ()) for each in name.get("given", ())]


def official(patient: dict[str, Any]) -> list[Any]:
    return [name["family"] for name in patient.get("name", ()) if name.get("use") == "official" and "family" in name]


def quantity(observation: dict[str, Any]) -> list[Any]:
    return [observation["valueQuantity"]] if "valueQuantity" in observation else []


def contained_are_referred_to(resource: dict[str, Any]) -> bool:
    """dom-3 by hand."""
    found: set[str] = set()
    stack: list[Any] = [resource]
    while stack:
        node = stack.pop()
        for key, value in node.items():
            if isinstance(value, dict):
                stack.append(value)
            elif isinstance(value, list):
                stack += [each for each in value if isinstance(each, dict)]
            elif key == "reference":
                found.add(value)
    return all("#" + each["id"] in found for each in resource.get("contained", ()))


def root_rules(patient: dict[str, Any]) -> bool:
    """The invariants dom-2 to dom-6 by hand."""
    contained = patient.get("contained", ())
    return (
        not any("contained" in each for each in contained)
        and contained_are_referred_to(patient)
        and not any("versionId" in each.get("meta", ()) or "lastUpdated" in each.get("meta", ()) for each in contained)
        and not any("security" in each.get("meta", ()) for each in contained)
        and "div" in patient.get("text", ())
    )


def rate(run: Callable[[Any], object], argument: Any, seconds: float) -> float:
    """Calls a second: the best of five rounds."""
    count, best = 1, 0.0
    while True:
        start = time.perf_counter()
        for _ in range(count):
            run(argument)
        spent = time.perf_counter() - start
        if spent > seconds / 10:
            break
        count *= 4
    for _ in range(5):
        start = time.perf_counter()
        for _ in range(count):
            run(argument)
        best = max(best, count / (time.perf_counter() - start))
    return best


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--seconds", type=float, default=0.5)
    seconds = options.parse_args().seconds
    env = Env()
    expressions = [
        constraint["expression"]
        for constraint in (Definitions.core().structure("Patient") or {})["snapshot"]["element"][0]["constraint"]
    ]
    rules = [fhirpath.compile(text, "Patient") for text in expressions]
    path = fhirpath.compile("Patient.name.given", "Patient")
    where = fhirpath.compile("Patient.name.where(use = 'official').family", "Patient")
    dom_3 = fhirpath.compile(DOM_3, "Patient")
    value = fhirpath.compile("(Observation.value as Quantity)", "Observation")
    rows: list[tuple[str, Callable[[Any], object], Callable[[Any], object], Any]] = [
        ("Patient.name.given, plain", path, given, PATIENT),
        ("Patient.name.given, typed", path.typed, typed_given, PATIENT),
        ("where(use = 'official').family", where, official, PATIENT),
        ("(Observation.value as Quantity)", value.typed, quantity, OBSERVATION),
        ("dom-3", dom_3.test, contained_are_referred_to, PATIENT),
        (
            f"{len(rules)} root invariants of Patient",
            lambda p: [rule.test(p, env=env) for rule in rules],
            root_rules,
            PATIENT,
        ),
    ]
    print(f"{'expression':34} {'engine /s':>12} {'by hand /s':>12} {'ratio':>7}")
    for name, engine, hand, argument in rows:
        ours, theirs = rate(engine, argument, seconds), rate(hand, argument, seconds)
        print(f"{name:34} {ours:12,.0f} {theirs:12,.0f} {ours / theirs:7.2f}")


if __name__ == "__main__":
    main()
