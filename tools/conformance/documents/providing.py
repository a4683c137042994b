"""Documents in: several with their submission set (ITI-65), one alone (ITI-105)."""

from __future__ import annotations

from typing import Any, Final

from tools.conformance.building import Part, Wrong, ask, case, check, header, refused, says, status, variable
from tools.conformance.documents.common import PHYSICIAN, PLACES, counted, exchange, sent
from tools.conformance.pdsm import (
    BINARY,
    DOCUMENT,
    FOLDER,
    MHD,
    PDSM,
    RFC,
    SECTOR,
    SET,
    WHEN,
    binary,
    bundle,
    concept,
    document,
    provide,
    provided,
    submission_set,
    unique,
)

_FOLDER: Final = {
    "resourceType": "List",
    "meta": {"profile": [f"{PDSM}/pdsm-folder-comprehensive"]},
    "extension": [{"url": f"{MHD}/StructureDefinition/ihe-designationType", "valueCodeableConcept": SECTOR}],
    "identifier": [{"use": "usual", "system": RFC, "value": unique(180)}],
    "status": "current",
    "mode": "working",
    "title": "Dossier ${run}",
    "code": concept(f"{MHD}/CodeSystem/MHDlistTypes", "folder"),
    "subject": {"reference": "Patient/${patientId}"},
    "date": WHEN,
    "entry": [{"item": {"reference": DOCUMENT}}],
}


def _said(key: int, **attachment: Any) -> Part:
    """A provide Bundle that says something else of its bytes."""
    made = provide(key)
    made["entry"][1]["resource"]["content"][0]["attachment"] |= attachment
    return made


def _attached(key: int, **attachment: Any) -> Wrong:
    """A document alone whose attachment is another; what is None is left out."""
    made = document(key)
    held = made["content"][0]["attachment"] | attachment
    made["content"][0]["attachment"] = {name: each for name, each in held.items() if each is not None}
    return Wrong(made)


def _unhashed(key: int) -> Part:
    made = provided(key)
    del made["content"][0]["attachment"]["hash"]
    return made


def _sourceless(key: int) -> Part:
    return {name: each for name, each in submission_set(key).items() if name not in ("source", "contained")}


def _without(key: int, element: str) -> Wrong:
    made = document(key)
    del made[element]
    return Wrong(made)


_TAKEN: Final = exchange(
    "provide",
    "ITI-65: what is provided is stored whole, and tied together",
    case("each entry is created", "PDSM-iti65", *sent(),
         says("Bundle.type", "transaction-response"),
         says("Bundle.entry.count()", "3"),
         says("Bundle.entry.response.status.all($this.startsWith('201') or $this.startsWith('200'))")),
    case("the document leads to its bytes", "PDSM-iti65 PDSM-iti68", *sent(),
         ask("", url="${document}"), status(200),
         says("DocumentReference.content.attachment.url.endsWith('${binary}')"),
         ask("", url="${binary}", accept="text/plain"), status(200)),
    case("the submission set names the document", "PDSM-iti65", *sent(),
         ask("", url="${list}"), status(200), says("List.entry.item.reference.endsWith('${document}')")),
    case("what is stored is what was sent", "PDSM-iti65", *sent(),
         ask("", url="${document}"), says("DocumentReference.description", "Lettre ${run}"),
         says("DocumentReference.masterIdentifier.value", unique(1)),
         says("DocumentReference.status", "current")),
    case("the document conforms to the profile", "PDSM-comprehensive", *sent(),
         ask("", url="${document}"), status(200), check("PDSm, comprehensive", validateProfileId="comprehensive")),
    case("the submission set conforms to the profile", "PDSM-comprehensive", *sent(),
         ask("", url="${list}"), status(200), check("PDSm, submission set", validateProfileId="set")),
    case("whoever cares for the patient sees it", "PDSM-iti65 ACCESS-team", *sent(),
         ask("", url="${document}", origin=PHYSICIAN), status(200),
         ask("", url="${list}", origin=PHYSICIAN), status(200)),
    fixtures={"bundle": provide(1)},
    variables=PLACES,
    profiles={
        "comprehensive": f"{PDSM}/pdsm-comprehensive-document-reference",
        "set": f"{PDSM}/pdsm-submissionset-comprehensive",
    },
)  # fmt: skip
_AGAIN: Final = exchange(
    "again",
    "Sent again, it is one",
    case("the same Bundle again", "PDSM-same", *sent(), *sent(), *counted(1, 1)),
    case("the same submission set again", "PDSM-same", *sent(), *sent(), *counted(101, 1, "List")),
    case("other bytes under the same uniqueId", "PDSM-same-other R4-outcome", *sent(),
         ask("transaction", source="other"), *refused(409, 422), *counted(1, 1)),
    case("published alone twice", "PDSM-same",
         ask("create", "DocumentReference", source="alone"), status(201),
         ask("create", "DocumentReference", source="alone"), status(200), *counted(2, 1)),
    case("published alone with other bytes", "PDSM-same-other R4-outcome",
         ask("create", "DocumentReference", source="alone"), status(200, 201),
         ask("create", "DocumentReference", source="alone-other"), *refused(409, 422), *counted(2, 1)),
    fixtures={
        "bundle": provide(1),
        "other": provide(1, b"Autre chose."),
        "alone": document(2),
        "alone-other": document(2, data=b"Autre chose."),
    },
)  # fmt: skip
_WRONG: Final = exchange(
    "refused",
    "ITI-65: what is wrong is refused whole",
    *(
        case(name, "PDSM-iti65-refused R4-outcome", ask("transaction", source=f"b{key}"), *refused(400, 422),
             *counted(key, 0))
        for key, name in (
            (10, "a hash that is not that of the bytes"),
            (11, "a size that is not that of the bytes"),
            (12, "an attachment that leads to no entry"),
            (13, "no submission set"),
            (14, "two submission sets"),
            (15, "no author"),
            (16, "no hash"),
            (17, "a submission set without its source"),
        )
    ),
    case("nothing of it is left", "PDSM-iti65-refused", ask("transaction", source="b10"), status(400, 422),
         *counted(110, 0, "List")),
    fixtures={
        "b10": _said(10, hash="A/hMRrv6Y15BjSM8kMLidrz+mHc="),
        "b11": _said(11, size=3),
        "b12": bundle((SET, submission_set(112)), (DOCUMENT, provided(12))),
        "b13": bundle((DOCUMENT, provided(13)), (BINARY, binary())),
        "b14": bundle((SET, submission_set(114)), (FOLDER, submission_set(214)), (DOCUMENT, provided(14)),
                      (BINARY, binary())),
        "b15": bundle((SET, submission_set(115)),
                      (DOCUMENT, {key: each for key, each in provided(15).items() if key != "author"}),
                      (BINARY, binary())),
        "b16": bundle((SET, submission_set(116)), (DOCUMENT, _unhashed(16)), (BINARY, binary())),
        "b17": bundle((SET, _sourceless(117)), (DOCUMENT, provided(17)), (BINARY, binary())),
    },
)  # fmt: skip
_FOLDERS: Final = exchange(
    "folder",
    "ITI-65: a folder",
    case("it comes with the rest", "PDSM-iti65",
         ask("transaction", source="bundle"), status(200), *counted(180, 1, "List"),
         says("Bundle.entry.resource.ofType(List).code.coding.code", "folder")),
    fixtures={"bundle": bundle((SET, submission_set(120)), (DOCUMENT, provided(20)), (BINARY, binary()),
                               (FOLDER, _FOLDER))},
)  # fmt: skip


def _replacing(key: int, target: str) -> Part:
    return provide(key, relatesTo=[{"code": "replaces", "target": {"reference": target}}])


_REPLACING: Final = exchange(
    "replace",
    "ITI-65: a document that replaces another",
    case("the one replaced is superseded", "PDSM-replace", *sent("old"),
         ask("transaction", source="new"), status(200),
         ask("", url="${document}"), says("DocumentReference.status", "superseded")),
    case("and found no more among those that are current", "PDSM-replace PDSM-iti67", *sent("old"),
         ask("search", "DocumentReference", f"?status=current&identifier={RFC}|{unique(30)}&_total=accurate"),
         says("Bundle.total", "0")),
    case("a version that it had", "PDSM-replace", *sent("old"),
         ask("", url="${document}/_history/1"), status(200), says("DocumentReference.status", "current")),
    case("what was replaced is not replaced again", "PDSM-replace R4-outcome", *sent("old"),
         ask("transaction", source="late"), *refused(409, 412, 422), *counted(32, 0)),
    case("what is not here is not replaced", "PDSM-replace R4-outcome",
         ask("transaction", source="lost"), *refused(400, 404, 409, 422), *counted(33, 0)),
    case("another's document is not replaced", "PDSM-replace R4-outcome", *sent("mine"),
         ask("transaction", source="steal", origin=3), *refused(403, 404, 409, 422),
         ask("", url="${document}"), says("DocumentReference.status", "current")),
    fixtures={
        "old": provide(30),
        "new": _replacing(31, "DocumentReference/${id}"),
        "late": _replacing(32, "DocumentReference/${id}"),
        "lost": _replacing(33, "DocumentReference/${run}-nobody"),
        "mine": provide(34),
        "steal": _replacing(35, "DocumentReference/${id}"),
    },
    variables=(
        *PLACES,
        variable("id", "sent", "Bundle.entry[1].response.location.replaceMatches('^.*DocumentReference/', '')"
                 ".replaceMatches('/_history.*', '')"),
    ),
)  # fmt: skip
_ALONE: Final = exchange(
    "publish",
    "ITI-105: a document published alone",
    case("it is created", "PDSM-iti105", ask("create", "DocumentReference", source="one"), status(200, 201),
         header("Location", "DocumentReference/", "contains")),
    case("its bytes are retrieved by its url", "PDSM-iti105 PDSM-iti68",
         ask("", url="DocumentReference", method="post", source="one", response="made",
             headers={"Prefer": "return=representation"}),
         says("DocumentReference.content.attachment.url.exists()"),
         ask("", url="${bytes}", accept="text/plain"), status(200)),
    case("hash and size are said", "PDSM-iti105",
         ask("", url="DocumentReference", method="post", source="one", response="made",
             headers={"Prefer": "return=representation"}),
         says("DocumentReference.content.attachment.size", "22"),
         says("DocumentReference.content.attachment.hash", "qBuihq57GjZpnMx11O7RlgNwJMs=")),
    case("it stands in a submission set", "PDSM-iti105-set",
         ask("create", "DocumentReference", source="one"), status(200, 201),
         ask("search", "List", "?patient=${patientId}&code=submissionset&item=DocumentReference/${one}"),
         status(200), says("Bundle.entry.resource.ofType(List).count()", "1")),
    *(
        case(name, "PDSM-iti105-refused R4-outcome",
             ask("create", "DocumentReference", source=source), *refused(400, 422), *counted(key, 0))
        for key, source, name in (
            (41, "no-author", "no author"),
            (42, "no-date", "no date"),
            (43, "no-custodian", "no custodian"),
            (44, "no-subject", "no subject"),
            (45, "no-bytes", "no bytes"),
            (46, "superseded", "not current"),
            (47, "no-title", "no title"),
        )
    ),
    fixtures={
        "one": document(40),
        "no-author": _without(41, "author"),
        "no-date": _without(42, "date"),
        "no-custodian": _without(43, "custodian"),
        "no-subject": _without(44, "subject"),
        "no-bytes": _attached(45, data=None),
        "superseded": document(46, status="superseded"),
        "no-title": _attached(47, title=None),
    },
    variables=(
        variable("bytes", "made", "DocumentReference.content.attachment.url"),
        variable("one", "one", "DocumentReference.id"),
    ),
)  # fmt: skip
PROVIDING: Final = (_TAKEN, _AGAIN, _WRONG, _FOLDERS, _REPLACING, _ALONE)
