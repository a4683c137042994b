"""Documents out: found by their metadata (ITI-66, ITI-67), retrieved (ITI-68)."""

from __future__ import annotations

from typing import Final

from tools.conformance.building import MATCHES, Part, ask, case, check, header, refused, says, status
from tools.conformance.documents.common import NOBODY, OTHER, PHYSICIAN, PLACES, exchange, sent
from tools.conformance.pdsm import MHD, PDSM, RFC, entry_uuid, nos, provide, unique

_INS: Final = "urn:oid:1.2.250.1.213.1.4.10|${patientIns}"
_OURS: Final = "identifier=urn:fhirserver:conformance|${run}"


def _find(name: str, criteria: str, found: bool = True) -> Part:
    """Whether the document of this run is found."""
    return case(
        name,
        "PDSM-iti67",
        ask("search", "DocumentReference", f"?{_OURS}&{criteria}", origin=PHYSICIAN),
        status(200),
        says(f"{MATCHES}.ofType(DocumentReference).count()", "1" if found else "0"),
    )


def _find_set(name: str, criteria: str, found: bool = True) -> Part:
    return case(
        name,
        "PDSM-iti66",
        ask("search", "List", f"?identifier={RFC}|{unique(101)}&{criteria}", origin=PHYSICIAN),
        status(200),
        says(f"{MATCHES}.ofType(List).count()", "1" if found else "0"),
    )


_DOCUMENTS: Final = exchange(
    "find-documents",
    "ITI-67: documents found by their metadata",
    _find("by the patient", "patient=${patientId}"),
    _find("not by another patient", "patient=${otherPatientId}", False),
    _find("by the patient's INS", f"patient.identifier={_INS}"),
    _find("by uniqueId", f"identifier={RFC}|{unique(1)}"),
    _find("by entryUUID", f"identifier={RFC}|{entry_uuid(1)}"),
    _find("by status", "status=current"),
    _find("not by another status", "status=superseded", False),
    _find("by type", "type=http://loinc.org|11488-4"),
    _find("not by another type", "type=http://loinc.org|11502-2", False),
    _find("by category", f"category={nos('TRE_A03-ClasseDocument')}|10"),
    _find("not by another category", f"category={nos('TRE_A03-ClasseDocument')}|11", False),
    _find("by date", "date=ge2026-06-12&date=lt2026-06-13"),
    _find("not by another date", "date=lt2026-06-12", False),
    _find("by the time of the care", "period=ge2026-06-12"),
    _find("not by another time of the care", "period=lt2026", False),
    _find("by when the content was made", "creation=2026-06-12"),
    _find("by the kind of place", f"facility={nos('TRE_R02-SecteurActivite')}|SA07"),
    _find("by the setting", f"setting={nos('TRE_A01-CadreExercice')}|AMBULATOIRE"),
    _find("not by another setting", f"setting={nos('TRE_A01-CadreExercice')}|ETABLISSEMENT", False),
    _find("by format", "format=urn:ihe:iti:xds:2017:mimeTypeSufficient"),
    _find("by confidentiality", f"security-label={nos('TRE_A08-HL7Confidentiality')}|N"),
    _find("by type of content", "contenttype=text/plain"),
    _find("by several together", "status=current&patient=${patientId}&type=11488-4&date=ge2026"),
    case(
        "by POST",
        "PDSM-iti67",
        ask("search", "DocumentReference", f"?{_OURS}&patient=${{patientId}}", method="post", origin=PHYSICIAN),
        status(200),
        says(f"{MATCHES}.count()", "1"),
    ),
    case(
        "the answer is a searchset whose documents conform",
        "PDSM-iti67 PDSM-comprehensive",
        ask("search", "DocumentReference", f"?{_OURS}", origin=PHYSICIAN),
        says("Bundle.type", "searchset"),
        says("Bundle.total", "1"),
        ask("", url="${document}", origin=PHYSICIAN),
        check("PDSm, comprehensive", validateProfileId="comprehensive"),
    ),
    case(
        "who did not deposit it and has no basis finds nothing",
        "PDSM-iti67 ACCESS-systems",
        ask("search", "DocumentReference", f"?{_OURS}&_total=accurate", origin=OTHER),
        says("Bundle.total", "0"),
    ),
    fixtures={"bundle": provide(1)},
    setup=sent(),
    variables=PLACES,
    profiles={"comprehensive": f"{PDSM}/pdsm-comprehensive-document-reference"},
)
_SETS: Final = exchange(
    "find-lists",
    "ITI-66: submission sets found by their metadata",
    _find_set("by the patient", "patient=${patientId}"),
    _find_set("not by another patient", "patient=${otherPatientId}", False),
    _find_set("by the patient's INS", f"patient.identifier={_INS}"),
    _find_set("by code", f"code={MHD}/CodeSystem/MHDlistTypes|submissionset"),
    _find_set("not among folders", f"code={MHD}/CodeSystem/MHDlistTypes|folder", False),
    _find_set("by status", "status=current"),
    _find_set("not by another status", "status=retired", False),
    _find_set("by date", "date=2026-06-12"),
    _find_set("not by another date", "date=gt2026-06-13", False),
    _find_set("by what it is for", f"designationType={nos('TRE_R02-SecteurActivite')}|SA07"),
    _find_set("by who sent it", f"sourceId={RFC}|urn:oid:1.2.250.1.999.1"),
    _find_set("not by who did not", f"sourceId={RFC}|urn:oid:1.2.250.1.999.2", False),
    _find_set("by the document in it", "item=${document}"),
    case(
        "with the documents in it",
        "PDSM-iti66",
        ask("search", "List", f"?identifier={RFC}|{unique(101)}&_include=List:item", origin=PHYSICIAN),
        status(200),
        says("Bundle.entry.resource.ofType(DocumentReference).masterIdentifier.value", unique(1)),
    ),
    case(
        "by POST",
        "PDSM-iti66",
        ask("search", "List", f"?identifier={RFC}|{unique(101)}&status=current", method="post", origin=PHYSICIAN),
        status(200),
        says(f"{MATCHES}.count()", "1"),
    ),
    fixtures={"bundle": provide(1)},
    setup=sent(),
    variables=PLACES,
)
_RETRIEVING: Final = exchange(
    "retrieve",
    "ITI-68: the bytes of a document",
    case(
        "as they are",
        "PDSM-iti68",
        ask("", url="${binary}", accept="text/plain", origin=PHYSICIAN),
        status(200),
        check("their type", contentType="text/plain"),
        header("Content-Length", "22"),
    ),
    case(
        "of any type",
        "PDSM-iti68",
        ask("", url="${binary}", headers={"Accept": "*/*"}, origin=PHYSICIAN),
        status(200),
        check("their type", contentType="text/plain"),
    ),
    case(
        "as a resource, to who asks for FHIR",
        "PDSM-iti68-resource",
        ask("", url="${binary}", accept="json", origin=PHYSICIAN),
        status(200),
        says("Binary.contentType", "text/plain"),
        says("Binary.data", "Qm9uam91ciwgdG91dCB2YSBiaWVuLg=="),
    ),
    case(
        "as another type",
        "PDSM-iti68-type",
        ask("", url="${binary}", accept="image/png", origin=PHYSICIAN),
        status(406),
    ),
    case(
        "their type and size alone",
        "PDSM-iti68",
        ask("", url="${binary}", accept="text/plain", method="head", origin=PHYSICIAN),
        status(200),
        header("Content-Type", "text/plain", "contains"),
    ),
    case(
        "a part of them",
        "PDSM-iti68-range",
        ask("", url="${binary}", accept="text/plain", headers={"Range": "bytes=0-6"}, origin=PHYSICIAN),
        status(206),
        header("Content-Range", "bytes 0-6/22"),
        header("Content-Length", "7"),
    ),
    case(
        "a part that there is not",
        "PDSM-iti68-range",
        ask("", url="${binary}", accept="text/plain", headers={"Range": "bytes=100-200"}, origin=PHYSICIAN),
        status(416),
    ),
    case(
        "not again, to who has them",
        "PDSM-iti68-range",
        ask("", url="${binary}", accept="text/plain", response="bytes", origin=PHYSICIAN),
        header("ETag"),
        ask("", url="${binary}", accept="text/plain", headers={"If-None-Match": "${tag}"}, origin=PHYSICIAN),
        status(304),
    ),
    case("of what is not here", "PDSM-iti68", ask("", url="Binary/${run}-nobody", origin=PHYSICIAN), *refused(404)),
    case(
        "to who does not see the document",
        "PDSM-iti68 ACCESS-binary",
        ask("", url="${binary}", accept="text/plain", origin=OTHER),
        status(404),
    ),
    case("to nobody", "PDSM-iti68 ACCESS-token", ask("", url="${binary}", accept="text/plain", origin=NOBODY),
         status(401)),
    fixtures={"bundle": provide(1)},
    setup=sent(),
    variables=(*PLACES, {"name": "tag", "sourceId": "bytes", "headerField": "ETag"}),
)  # fmt: skip
FINDING: Final = (_DOCUMENTS, _SETS, _RETRIEVING)
