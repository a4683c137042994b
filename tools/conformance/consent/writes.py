"""What writes may tell of what is hidden, and that nobody lets himself in."""

from __future__ import annotations

from typing import Any, Final

from tools.conformance.building import Part, ask, case, says, status
from tools.conformance.consent.common import (
    CARE,
    MASKED,
    OPERATOR,
    OTHER,
    PHYSICIAN,
    SYSTEM,
    consent,
    observation,
    record,
    reference,
    shown,
)

_FIXTURES: Final[dict[str, Any]] = {
    "stranger": {"resourceType": "Patient", "active": True},
    "x": observation("x", "2160-0", **MASKED),
    "y": observation("y", "2160-0", of="${stranger}"),
    "a": observation("a"),
    "-new": observation("new", "9-9"),
    "-away": observation("a", of="${stranger}"),
    "-patch": [{"op": "replace", "path": "/status", "value": "amended"}],
}
_NO: Final = status(403, 404, 405, 409, 412, 422)


def _untouched(*ids: str) -> tuple[Part, ...]:
    """The operator finds them as they were."""
    made: list[Part] = []
    for each in ids:
        made += [
            ask("", url=f"Observation/${{{each}}}", origin=OPERATOR),
            status(200),
            says("Observation.status", "final"),
            says("Observation.code.coding.code", "2160-0", "it is as it was"),
        ]
    return tuple(made)


def _patch(url: str, origin: int = PHYSICIAN) -> Part:
    return ask("", url=url, method="patch", source="patch", content="application/json-patch+json", origin=origin)


_CONDITIONS: Final = record(
    "conditions",
    "Conditions do not tell what is hidden",
    case(
        "If-None-Exist finds what is seen",
        "ACCESS-write-conditions",
        ask("", url="Observation", source="new", origin=PHYSICIAN,
            headers={"If-None-Exist": f"identifier={SYSTEM}|${{run}}-a"}, method="post"),
        status(200),
    ),
    case(
        "If-None-Exist does not find what is masked",
        "ACCESS-write-conditions",
        ask("create", "Observation", source="new", origin=PHYSICIAN,
            headers={"If-None-Exist": f"identifier={SYSTEM}|${{run}}-x"}),
        status(201),
        ask("delete", target="new"),
    ),
    case(
        "nor what is somebody else's",
        "ACCESS-write-conditions",
        ask("create", "Observation", source="new", origin=PHYSICIAN,
            headers={"If-None-Exist": f"identifier={SYSTEM}|${{run}}-y"}),
        status(201),
        ask("delete", target="new"),
    ),
    case(
        "a conditional delete leaves it",
        "ACCESS-write-conditions",
        ask("deleteCondSingle", "Observation", f"?identifier={SYSTEM}|${{run}}-x", origin=PHYSICIAN),
        ask("deleteCondSingle", "Observation", f"?identifier={SYSTEM}|${{run}}-y", origin=PHYSICIAN),
        *_untouched("x", "y"),
    ),
    case(
        "a conditional patch leaves it",
        "ACCESS-write-conditions",
        _patch(f"Observation?identifier={SYSTEM}|${{run}}-x"),
        status(404, 412),
        *_untouched("x"),
    ),
    fixtures=_FIXTURES,
)  # fmt: skip
_WRITES: Final = record(
    "writes",
    "Nobody changes what he does not see",
    case(
        "an update",
        "ACCESS-write",
        ask("", url="Observation/${x}", method="put", source="x", origin=PHYSICIAN),
        _NO,
        ask("", url="Observation/${y}", method="put", source="y", origin=PHYSICIAN),
        _NO,
        *_untouched("x", "y"),
    ),
    case("a patch", "ACCESS-write", _patch("Observation/${x}"), _NO, _patch("Observation/${y}"), _NO,
         *_untouched("x", "y")),
    case(
        "a delete",
        "ACCESS-write",
        ask("", url="Observation/${x}", method="delete", origin=PHYSICIAN),
        ask("", url="Observation/${y}", method="delete", origin=PHYSICIAN),
        *_untouched("x", "y"),
    ),
    case(
        "feeding a record opens nothing of it",
        "ACCESS-own-right",
        ask("create", "Observation", source="stray", origin=OTHER),
        status(201, 403),
        ask("", url="Observation/${y}", origin=OTHER),
        status(404),
        ask("search", "Observation", f"?identifier={SYSTEM}|${{run}}", origin=OTHER),
        says("Bundle.entry.resource.ofType(Observation).where(bodySite.text != 'stray').empty()"),
    ),
    case(
        "moving what he sees to somebody else",
        "ACCESS-write",
        ask("", url="Observation/${a}", method="put", source="moved", origin=PHYSICIAN),
        _NO,
        *shown("Observation/${a}", origin=OPERATOR),
        says("Observation.subject.reference", "Patient/${person}"),
    ),
    case(
        "a transaction that touches it fails whole",
        "ACCESS-write",
        ask("transaction", source="both", origin=PHYSICIAN),
        _NO,
        ask("search", "Observation", f"?identifier={SYSTEM}|${{run}}-new&_total=accurate"),
        says("Bundle.total", "0"),
    ),
    case(
        "joining a care team by oneself",
        "ACCESS-own-right",
        ask("", url="CareTeam", method="post", source="mine", origin=OTHER),
        status(403, 404, 422),
        ask("", url="Observation/${y}", origin=OTHER),
        status(404),
    ),
    case(
        "consenting for somebody else",
        "ACCESS-own-right",
        ask("", url="Consent", method="post", source="permit", origin=OTHER),
        status(403, 404, 422),
        ask("", url="Observation/${y}", origin=OTHER),
        status(404),
    ),
    case(
        "becoming somebody's physician",
        "ACCESS-own-right",
        ask("", url="Patient/${stranger}", method="put", source="taken", origin=OTHER),
        _NO,
        ask("", url="Observation/${y}", origin=OTHER),
        status(404),
    ),
    fixtures={
        **_FIXTURES,
        "-stray": observation("stray", "9-9", of="${stranger}"),
        "-moved": {**observation("a", of="${stranger}"), "id": "${a}"},
        "-mine": {
            **CARE,
            "subject": reference("Patient/${stranger}"),
            "participant": [{"member": reference("Practitioner/${otherPhysicianId}")}],
        },
        "-permit": consent("permit", "Practitioner/${otherPhysicianId}", of="${stranger}"),
        "-taken": {
            "resourceType": "Patient",
            "id": "${stranger}",
            "active": True,
            "generalPractitioner": [reference("Practitioner/${otherPhysicianId}")],
        },
        "-both": {
            "resourceType": "Bundle",
            "type": "transaction",
            "entry": [
                {
                    "resource": observation("new", "9-9"),
                    "request": {"method": "POST", "url": "Observation"},
                },
                {
                    "resource": {**observation("y", of="${stranger}"), "id": "${y}"},
                    "request": {"method": "PUT", "url": "Observation/${y}"},
                },
            ],
        },
    },
)  # fmt: skip
WRITES: Final = (_CONDITIONS, _WRITES)
