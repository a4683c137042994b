"""What changes of a document once it is here: its status, labels and archiving; nothing else."""

from __future__ import annotations

from typing import Any, Final

from tools.conformance.building import Part, ask, case, refused, says, status
from tools.conformance.documents.common import HOLDER, OTHER, PATCH, PHYSICIAN, PLACES, exchange, sent
from tools.conformance.pdsm import PDSM, RFC, provide, unique


def _patch(source: str, url: str = "${document}", **more: Any) -> Part:
    return ask("", url=url, method="patch", source=source, content=PATCH, **more)


def _replace(path: str, value: Any) -> list[Part]:
    return [{"op": "replace", "path": path, "value": value}]


_METADATA: Final = exchange(
    "metadata",
    "Changes of metadata",
    case("masked by a label", "PDSM-metadata ACCESS-masked",
         _patch("mask"), status(200, 204),
         ask("", url="${document}", origin=PHYSICIAN), status(404),
         ask("", url="${binary}", accept="text/plain", origin=PHYSICIAN), status(404)),
    case("shown again by the person", "PDSM-metadata",
         _patch("plain", origin=HOLDER), status(200, 204), ask("", url="${document}", origin=PHYSICIAN), status(200)),
    case("archived", "PDSM-metadata",
         _patch("archive"), status(200, 204),
         ask("search", "DocumentReference", f"?identifier={RFC}|{unique(1)}&isArchived=true&_total=accurate"),
         says("Bundle.total", "1")),
    case("by its uniqueId", "PDSM-metadata",
         _patch("archive", f"DocumentReference?identifier={RFC}|{unique(1)}"), status(200, 204)),
    *(
        case(f"not {name}", "PDSM-metadata-refused R4-outcome",
             _patch(name), *refused(400, 403, 405, 422), ask("", url="${document}"),
             says(expression, text="it is as it was"))
        for name, expression in (
            ("description", "DocumentReference.description = 'Lettre ${run}'"),
            ("type", "DocumentReference.type.coding.code = '11488-4'"),
            ("subject", "DocumentReference.subject.reference.endsWith('${patientId}')"),
            ("content", "DocumentReference.content.attachment.size = 22"),
        )
    ),
    case("a document is not deleted", "PDSM-metadata-refused R4-outcome",
         ask("", url="${document}", method="delete"), *refused(403, 405), ask("", url="${document}"), status(200)),
    case("its bytes are not deleted", "PDSM-metadata-refused",
         ask("", url="${binary}", method="delete"), status(403, 405),
         ask("", url="${binary}", accept="text/plain"), status(200)),
    case("another's document is not changed", "PDSM-metadata-refused ACCESS-write",
         _patch("error", origin=OTHER), status(403, 404),
         ask("", url="${document}"), says("DocumentReference.status", "current")),
    case("who reads it does not make it an error", "PDSM-metadata-refused ACCESS-write",
         _patch("error", origin=PHYSICIAN), status(403, 404),
         ask("", url="${document}"), says("DocumentReference.status", "current")),
    case("who deposited it makes it an error", "PDSM-metadata",
         _patch("error"), status(200, 204), ask("", url="${document}"),
         says("DocumentReference.status", "entered-in-error")),
    fixtures={
        "bundle": provide(1),
        "mask": _replace("/securityLabel", [{"coding": [{"code": "MASQUE_PS"}]}]),
        "plain": _replace("/securityLabel", [{"coding": [{"code": "N"}]}]),
        "archive": [{"op": "add", "path": "/extension",
                     "value": [{"url": f"{PDSM}/pdsm-ext-is-archived", "valueBoolean": True}]}],
        "description": _replace("/description", "Autre"),
        "type": _replace("/type", {"coding": [{"system": "http://loinc.org", "code": "11502-2"}]}),
        "subject": _replace("/subject", {"reference": "Patient/${otherPatientId}"}),
        "content": _replace("/content/0/attachment/size", 7),
        "error": _replace("/status", "entered-in-error"),
    },
    setup=sent(),
    variables=PLACES,
)  # fmt: skip
CHANGING: Final = (_METADATA,)
