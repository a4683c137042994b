"""What the scripts of this suite share."""

from __future__ import annotations

from typing import Any, Final

from tools.conformance.building import ask, says, status

SYSTEM: Final = "urn:fhirserver:conformance"


def observation(key: str, **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "identifier": [{"system": SYSTEM, "value": f"${{run}}-{key}"}],
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "718-7"}]},
        **more,
    }


WHOLE: Final = observation(
    "whole",
    effectiveDateTime="2026-01-15T08:30:00+01:00",
    valueQuantity={"value": 13.5, "unit": "g/dL", "system": "http://unitsofmeasure.org", "code": "g/dL"},
    note=[{"text": 'é, ‘quoted’ and "quoted", <b>&amp;'}],
)


BASIC: Final = {
    "resourceType": "Basic",
    "identifier": [{"system": SYSTEM, "value": "${run}-basic"}],
    "code": {"text": "conformance"},
}


WHOLE_BACK: Final = {"Prefer": "return=representation"}


def json_patch(source: str) -> dict[str, Any]:
    """A JSON Patch of the resource."""
    return ask(
        "",
        url="Observation/${id}",
        method="patch",
        source=source,
        content="application/json-patch+json",
        headers=WHOLE_BACK,
    )


def fhirpath_patch(kind: str, path: str, *more: dict[str, Any]) -> dict[str, Any]:
    parts = [{"name": "type", "valueCode": kind}, {"name": "path", "valueString": path}, *more]
    return {"resourceType": "Parameters", "parameter": [{"name": "operation", "part": parts}]}


def bundle(kind: str, *entries: Any) -> dict[str, Any]:
    """A Bundle of (method, url), (method, url, resource) or (method, url, resource, more of the request)."""
    made = []
    for number, (method, url, *rest) in enumerate(entries, 1):
        entry: dict[str, Any] = (
            {"fullUrl": f"urn:uuid:00000000-0000-4000-8000-{number:012}"} if method == "POST" else {}
        )
        entry |= {"resource": rest[0]} if rest else {}
        made.append({**entry, "request": {"method": method, "url": url, **(rest[1] if len(rest) > 1 else {})}})
    return {"resourceType": "Bundle", "type": kind, "entry": made}


READ: Final = ask("read", target="whole")


def found(key: str, count: int) -> tuple[dict[str, Any], ...]:
    """How many Observations have this identifier."""
    params = f"?identifier={SYSTEM}|${{run}}-{key}"
    return (
        ask("search", "Observation", params),
        status(200),
        says("Bundle.entry.resource.ofType(Observation).count()", str(count)),
    )
