"""Searches by number and by traits, deposits by number, and whether there is a record."""

from __future__ import annotations

from typing import Final

from tools.conformance.building import MATCHES, Part, ask, case, refused, says, script, status, variable
from tools.conformance.identity.common import FRS, NIR_DEMO, NIR_TEST, camille

NUMBER: Final = f"identifier={NIR_TEST}|${{nir}}"
OPERATOR, HOSPITAL, FEEDING, LABORATORY = 1, 2, 3, 4
"""The origins of the scripts about deposits."""


def _finds(name: str, criteria: str, count: int, requirement: str = "INS-search", **more: str) -> Part:
    expression = f"{MATCHES}.ofType(Patient).count()"
    actions = (ask("search", "Patient", f"?{criteria}", **more), status(200), says(expression, str(count)))
    return case(name, requirement, *actions)


_SEARCHED: Final = script(
    "identity-search",
    "A person is found by number and traits",
    _finds("by authority and number", NUMBER, 1),
    _finds("by POST, so that no log has the number", NUMBER, 1, method="post"),
    _finds("by the number alone", "identifier=${nir}", 1),
    _finds("not as a number of another authority", f"identifier={NIR_DEMO}|${{nir}}", 0),
    _finds("not by the beginning of the number", f"identifier={NIR_TEST}|2850569&family=MOREAU${{run}}", 0),
    _finds("by the number as one of its type", f"identifier:of-type={FRS}v2-0203|INS-NIR-TEST|${{nir}}", 1),
    _finds("not as one of another type", f"identifier:of-type={FRS}v2-0203|INS-NIA|${{nir}}", 0),
    _finds("one of several numbers", f"identifier={NIR_TEST}|000000000000000,{NIR_TEST}|${{nir}}", 1),
    _finds("by the strict traits", "family=MOREAU${run}&given=Camille&gender=female&birthdate=1985-05-10", 1),
    _finds("number and traits", f"{NUMBER}&family=MOREAU${{run}}&birthdate=1985-05-10", 1),
    _finds("not with another birth name", f"{NUMBER}&family=AUTRE", 0),
    _finds("not with another given name", f"{NUMBER}&given=Autre", 0),
    _finds("not with another sex", f"{NUMBER}&gender=male", 0),
    _finds("not with another date of birth", f"{NUMBER}&birthdate=1985-05-11", 0),
    _finds("by the year of birth", f"{NUMBER}&birthdate=1985", 1),
    _finds("by the name that is used", "family=PETIT${run}", 1, "R4-search-string"),
    _finds("in small letters", "family=moreau${run}", 1, "R4-search-string"),
    _finds("with accents that the record does not have", "family=MORÉAU${run}", 1, "R4-search-string"),
    _finds("who is active", f"{NUMBER}&active=true", 1),
    _finds("not among those who are not", f"{NUMBER}&active=false", 0),
    fixtures={"camille": camille()},
)


def _observation(system: str, value: str) -> Part:
    return {
        "resourceType": "Observation",
        "identifier": [{"system": "urn:fhirserver:conformance", "value": "${run}-ins"}],
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "718-7"}]},
        "subject": {"identifier": {"system": system, "value": value}},
        "effectiveDateTime": "2026-01-15",
    }


def _told(name: str, criteria: str, *checks: Part, requirement: str = "INS-existence", origin: int = FEEDING) -> Part:
    return case(name, requirement, ask("search", "Patient", f"?{criteria}", origin=origin), status(200), *checks)


_NOTHING: Final = says("Bundle.entry.where(search.mode = 'match' or search.mode.empty()).empty()", text="nothing")
_DEPOSITED: Final = script(
    "identity-deposit",
    "Deposits by INS, by who needs not see the record",
    case(
        "a result is deposited by the number alone",
        "INS-deposit",
        ask("create", "Observation", source="result", origin=HOSPITAL),
        status(201),
    ),
    case(
        "and stands in the record",
        "INS-deposit",
        ask("search", "Observation", "?patient=${camille}&code=718-7"),
        status(200),
        says(f"{MATCHES}.count()", "1"),
    ),
    case(
        "in nobody else's",
        "INS-deposit",
        ask("search", "Observation", "?patient=${otherPatientId}&identifier=urn:fhirserver:conformance|${run}-ins"),
        status(200),
        says(f"{MATCHES}.count()", "0"),
    ),
    case(
        "a number that nobody has leads nowhere",
        "INS-deposit R4-outcome",
        ask("create", "Observation", source="nobody", origin=HOSPITAL),
        *refused(404, 409, 422),
    ),
    case(
        "the same number of another authority neither",
        "INS-deposit R4-outcome",
        ask("create", "Observation", source="authority", origin=HOSPITAL),
        *refused(404, 409, 422),
    ),
    case(
        "who deposits does not learn who it is",
        "INS-deposit ACCESS-none",
        ask("", url="Patient/${camille}", origin=HOSPITAL),
        status(404),
    ),
    case(
        "nor by searching for the number",
        "INS-deposit ACCESS-search",
        ask("search", "Patient", f"?{NUMBER}", origin=HOSPITAL),
        status(200),
        _NOTHING,
    ),
    _told(
        "before feeding he is told that there is a record",
        NUMBER,
        says(f"{MATCHES}.ofType(Patient).where(active = true).count()", "1"),
    ),
    _told(
        "and nothing but the number that he knows",
        NUMBER,
        says(f"{MATCHES}.ofType(Patient).all(name.empty() and birthDate.empty() and gender.empty() and id.empty())"),
        says(f"{MATCHES}.ofType(Patient).identifier.value", "${nir}"),
    ),
    _told("or that there is none", f"identifier={NIR_TEST}|000000000000000", _NOTHING),
    _told("by name he is told nothing", "family=MOREAU${run}", _NOTHING),
    _told("nor by number and name", f"{NUMBER}&family=MOREAU${{run}}", _NOTHING),
    case(
        "who is about to feed reads nothing",
        "INS-existence ACCESS-none",
        ask("", url="Patient/${camille}", origin=FEEDING),
        status(404),
    ),
    _told("who is not about to feed is not told", NUMBER, _NOTHING, origin=LABORATORY),
    fixtures={
        "camille": camille(),
        "-result": _observation(NIR_TEST, "${nir}"),
        "-nobody": _observation(NIR_TEST, "000000000000000"),
        "-authority": _observation(NIR_DEMO, "${nir}"),
    },
    variables=(variable("camille", "camille", "Patient.id"),),
    roles=("operator", "hospital", "feeding", "laboratory"),
    teardown=(ask("", url="Observation?identifier=urn:fhirserver:conformance|${run}-ins", method="delete"),),
)
FINDING: Final = (_SEARCHED, _DEPOSITED)
