"""Whose a document is: the patient's INS and strict traits agree with one record, or it is refused, or waits."""

from __future__ import annotations

from typing import Final

from tools.conformance.building import Part, ask, case, header, refused, says, status, variable
from tools.conformance.cda.common import OPERATOR, OTHER, RFC, cda, changed, counted, deposit, unique

_LETTER: Final = "l1-texte"
_STRANGERS: Final = {
    "ins": ("an INS that nobody has", 'extension="${patientIns}"', 'extension="${number}99999"'),
    "other": ("somebody else's INS", 'extension="${patientIns}"', 'extension="${otherPatientIns}"'),
    "authority": ("an INS of another authority", "1.2.250.1.213.1.4.10", "1.2.250.1.213.1.4.11"),
    "family": ("another birth name", ">${patientFamily}<", ">AUTRE${run}<"),
    "given": ("another given name", ">${patientGiven}<", ">Autre<"),
    "sex": (
        "another sex",
        'code="F" codeSystem="2.16.840.1.113883.5.1"',
        'code="M" codeSystem="2.16.840.1.113883.5.1"',
    ),
    "birth": ("another date of birth", 'birthTime value="${patientBirth}"', 'birthTime value="19010101"'),
    "nobody": ("no INS", '<id root="1.2.250.1.213.1.4.10" extension="${patientIns}"/>', ""),
}
"""By key: what is wrong, and what of the document becomes what."""


def _nowhere() -> tuple[Part, Part, Part]:
    return (
        ask("search", "DocumentReference", f"?identifier={RFC}|{unique(107)}&_total=accurate", origin=OPERATOR),
        status(200),
        says("Bundle.total", "0"),
    )


_REFUSED: Final = cda(
    "identity",
    "A document that is nobody's is not taken",
    *(
        case(text, "CDA-identity R4-outcome", deposit(key), *refused(422), *_nowhere())
        for key, (text, _, _) in _STRANGERS.items()
    ),
    case(
        "the answer does not tell whether it is the number or a trait",
        "CDA-identity ACCESS-absent",
        deposit("ins", response="absent"),
        status(422),
        deposit("family"),
        status(422),
        {
            "assert": {
                "description": "the same words",
                "warningOnly": False,
                "expression": "OperationOutcome.issue.diagnostics",
                "operator": "equals",
                "compareToSourceId": "absent",
                "compareToSourceExpression": "OperationOutcome.issue.diagnostics",
            }
        },
    ),
    case("who is who the record says, in small letters", "CDA-identity", deposit("small"), status(200, 201)),
    fixtures={
        **{key: changed(_LETTER, old, new) for key, (_, old, new) in _STRANGERS.items()},
        "small": changed("l1-dispositif", ">${patientGiven}<", ">patient<"),
    },
)
_WAITING: Final = cda(
    "quarantine",
    "A document that waits until it is known whose it is",
    case(
        "it is kept",
        "CDA-quarantine",
        deposit("stranger", "?quarantine=true", response="held"),
        status(202),
        header("Location"),
        *_nowhere(),
    ),
    case(
        "kept once",
        "CDA-quarantine",
        deposit("stranger", "?quarantine=true", response="held"),
        status(202),
        deposit("stranger", "?quarantine=true"),
        status(202),
        header("Location", "${held}"),
    ),
    case(
        "its depositor sees that it waits",
        "CDA-quarantine",
        deposit("stranger", "?quarantine=true", response="held"),
        ask("", url="${held}", encodeRequestUrl=False),
        status(200),
        says("Parameters.descendants().where(value = 'held').exists()"),
    ),
    case(
        "nobody else does",
        "CDA-quarantine ACCESS-systems",
        deposit("stranger", "?quarantine=true", response="held"),
        ask("", url="${held}", encodeRequestUrl=False, origin=OTHER),
        status(404),
    ),
    case(
        "as long as it is nobody's it waits",
        "CDA-quarantine R4-outcome",
        deposit("stranger", "?quarantine=true", response="held"),
        ask("", url="$quarantine-resolve?id=${waiting}&action=retry", method="post"),
        *refused(422),
    ),
    case(
        "the operator says whose it is",
        "CDA-quarantine",
        deposit("stranger", "?quarantine=true", response="held"),
        ask(
            "",
            url="$quarantine-resolve?id=${waiting}&action=assign&patient=Patient/${patientId}",
            method="post",
            origin=OPERATOR,
        ),
        status(200, 201),
        *counted(107, 1),
    ),
    fixtures={"stranger": changed(_LETTER, ">${patientFamily}<", ">AUTRE${run}<")},
    variables=(
        variable("held", "held", header="Location"),
        variable(
            "waiting",
            "held",
            "issue.diagnostics.replaceMatches('^.*quarantine as ', '').replaceMatches('[^0-9a-f].*$', '')",
        ),
    ),
)
IDENTITY: Final = (_REFUSED, _WAITING)
