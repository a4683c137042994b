"""One number, one record: an active INS is borne by one active Patient."""

from __future__ import annotations

from typing import Any, Final

from tools.conformance.building import Part, ask, case, refused, says, script, status, variable
from tools.conformance.identity.common import NIR_DEMO, NIR_TEST, camille, changed, number, plain

_BACK: Final = {"Prefer": "return=representation"}
_ONE: Final = "INS-one"


def _entry(resource: dict[str, Any]) -> dict[str, Any]:
    return {"resource": resource, "request": {"method": "POST", "url": "Patient"}}


def _bearing(count: int) -> tuple[Part, Part]:
    """How many active Patients bear the number."""
    params = f"?identifier={NIR_TEST}|${{nir}}&active=true"
    return ask("search", "Patient", params), says("Bundle.entry.resource.ofType(Patient).count()", str(count))


def _conflicting(name: str, *actions: Part, requirement: str = _ONE) -> Part:
    return case(name, f"{requirement} R4-outcome", *actions, *refused(409), *_bearing(1))


def _allowed(name: str, source: str) -> Part:
    """A second Patient is taken, and gone afterwards."""
    made = ask("create", "Patient", source=source, response=source, headers=_BACK)
    gone = ask("", url=f"Patient/${{{source}}}", method="delete")
    return case(name, _ONE, made, status(201), gone, status(200, 204), *_bearing(1))


_SECOND: Final = script(
    "identity-number",
    "An INS has one record",
    _conflicting("not a second one by create", ask("create", "Patient", source="twin")),
    _conflicting("not with other traits", ask("create", "Patient", source="stranger")),
    _conflicting("not by update", ask("", url="Patient/${other}", method="put", source="grasping")),
    _conflicting("not by update as create", ask("", url="Patient/${run}-new", method="put", source="named")),
    _conflicting(
        "not by patch",
        ask("", url="Patient/${other}", method="patch", source="patch", content="application/json-patch+json"),
    ),
    _conflicting("not in a transaction", ask("transaction", source="whole"), requirement=f"{_ONE} R4-transaction"),
    _conflicting("not two of one transaction", ask("transaction", source="two"), requirement=f"{_ONE} R4-transaction"),
    case(
        "not in a batch",
        f"{_ONE} R4-batch",
        ask("batch", source="each"),
        status(200),
        says("Bundle.entry[0].response.status.startsWith('409')"),
        *_bearing(1),
    ),
    _allowed("a number that is no longer used may come again", "old"),
    _allowed("one who is not active may bear it", "inactive"),
    _allowed("another authority's number is another number", "demo"),
    case(
        "but is not made active then",
        f"{_ONE} R4-outcome",
        ask("create", "Patient", source="inactive", response="asleep", headers=_BACK),
        status(201),
        ask("", url="Patient/${asleep}", method="patch", source="wake", content="application/json-patch+json"),
        *refused(409),
        *_bearing(1),
        ask("", url="Patient/${asleep}", method="delete"),
    ),
    case(
        "the record itself is updated as ever",
        "R4-update",
        ask("", url="Patient/${first}", method="put", source="same"),
        status(200),
        *_bearing(1),
    ),
    case(
        "create unless the number is there",
        f"{_ONE} R4-ccreate",
        ask(
            "create", "Patient", source="twin", headers={"If-None-Exist": f"identifier={NIR_TEST}|${{nir}}&active=true"}
        ),
        status(200),
        *_bearing(1),
    ),
    case(
        "the number of who is gone is free",
        _ONE,
        ask("", url="Patient/${first}", method="delete"),
        status(200, 204),
        ask("create", "Patient", source="twin", response="heir", headers=_BACK),
        status(201),
        *_bearing(1),
        ask("", url="Patient/${heir}", method="delete"),
    ),
    fixtures={
        "first": camille(),
        "other": plain(),
        "-twin": camille(),
        "-stranger": {**camille(), "birthDate": "1985-05-11", "gender": "female"},
        "-grasping": {**plain(identifier=[number()]), "id": "${other}"},
        "-named": {**camille(), "id": "${run}-new"},
        "-patch": [{"op": "add", "path": "/identifier/-", "value": number()}],
        "-whole": {"resourceType": "Bundle", "type": "transaction", "entry": [_entry(camille())]},
        "-two": {"resourceType": "Bundle", "type": "transaction", "entry": [_entry(camille()), _entry(camille())]},
        "-each": {"resourceType": "Bundle", "type": "batch", "entry": [_entry(camille())]},
        "-old": plain(identifier=[number(use="old")]),
        "-inactive": camille(active=False),
        "-demo": changed(camille(), "identifier.0", number(system=NIR_DEMO)),
        "-wake": [{"op": "replace", "path": "/active", "value": True}],
        "-same": {**camille(), "id": "${first}"},
    },
    variables=(
        *(variable(each, each, "Patient.id") for each in ("first", "other", "old", "inactive", "demo")),
        *(variable(each, each, "Patient.id") for each in ("asleep", "heir")),
    ),
)
NUMBERS: Final = (_SECOND,)
