"""Documents that are wrong, each in one way: refused, with a place and words, and nothing is left of them."""

from __future__ import annotations

from typing import Final

from tools.cda import wrong
from tools.conformance.building import Text, case, refused, says, status
from tools.conformance.cda.common import cda, counted, deposit, own

_TEXTS: Final = {
    "sans-titre": "no title",
    "sans-set-id": "no set",
    "sans-patient": "no patient",
    "sans-auteur": "no author",
    "sans-valideur": "nobody answers for it",
    "sans-conservateur": "no custodian",
    "sans-acte": "no act",
    "sans-rencontre": "no encounter",
    "sans-corps": "no body",
    "ins-sans-naissance": "no date of birth",
    "ins-sans-lieu": "no place of birth",
    "ins-sans-nom": "no birth name",
    "date-sans-fuseau": "a time without its zone",
    "autre-pays": "of another country",
    "base64-faux": "a body that is no base64",
    "pas-un-pdf": "a PDF that is none",
    "empreinte-fausse": "an integrity check that does not hold",
    "sans-id": "no unique id",
    "tronque": "cut off",
    "pas-du-cda": "XML that is no CDA",
    "entite-externe": "an entity from elsewhere",
    "bombe": "entities within entities",
    "dtd-externe": "a DTD from elsewhere",
    "trop-profond": "elements beyond measure",
    "mauvais-encodage": "another encoding than it says",
}
_DOCUMENTS: Final = {name: own(data) for name, data in wrong.documents().items()}
_NUMBERS: Final = {"pas-un-pdf": 401}
_HEADER: Final = cda(
    "header",
    "A document whose header breaks a rule",
    *(
        case(
            text,
            "CDA-header R4-outcome",
            deposit(name),
            *refused(400, 422),
            says("OperationOutcome.issue.where(severity = 'error').expression.exists()", text="it says where"),
            *counted(_NUMBERS.get(name, 101), 0),
        )
        for name, text in _TEXTS.items()
        if name in {*wrong.findings()}
    ),
    fixtures={name: _DOCUMENTS[name] for name in _TEXTS if name in {*wrong.findings()}},
)
_READING: Final = cda(
    "unsafe",
    "What is no document, or no safe one",
    *(
        case(text, "CDA-refused R4-outcome", deposit(name), *refused(400, 413, 422), *counted(101, 0))
        for name, text in _TEXTS.items()
        if name in {*wrong.refused()}
    ),
    case(
        "nothing of a file of the server is told",
        "CDA-refused",
        deposit("entite-externe"),
        says("OperationOutcome.descendants().ofType(string).where($this.contains('root:')).empty()"),
    ),
    fixtures={name: each for name, each in _DOCUMENTS.items() if name in {*wrong.refused()}},
)
_LENIENT: Final = cda(
    "lenient",
    "Leniently, a broken rule is a warning",
    case(
        "asked in the address",
        "CDA-lenient",
        deposit("sans-set-id", "?mode=lenient"),
        status(200, 201),
        *counted(101, 1),
    ),
    case(
        "it tells what is wrong",
        "CDA-lenient",
        deposit("sans-acte", "?mode=lenient", headers={"Prefer": "return=OperationOutcome"}),
        status(200, 201),
        says("OperationOutcome.issue.where(severity = 'warning').exists()"),
    ),
    fixtures={
        "sans-set-id": _DOCUMENTS["sans-set-id"],
        "sans-acte": Text(_DOCUMENTS["sans-acte"].replace(".101", ".102")),
    },
)
WRONG: Final = (_HEADER, _READING, _LENIENT)
