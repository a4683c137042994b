"""The imaging of the demo family: a study of each, whose images `examples/pacs.py` draws."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fhirserver.cli.demo_bundle import entry
from fhirserver.spec.systems import LOINC

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROOT: Final = "2.25.30571402893365847"
_DCM: Final = "http://dicom.nema.org/resources/ontology/DCM"


class Series(NamedTuple):
    uid: str
    modality: str
    description: str
    instances: tuple[str, ...]


class Study(NamedTuple):
    """`who`: a member of the family, `ins`: the number by which the PACS knows him."""

    who: str
    ins: str
    number: int
    started: str
    description: str
    site: str
    series: tuple[Series, ...]

    @property
    def uid(self) -> str:
        return f"{_ROOT}.{self.number}"


def _series(study: int, number: int, modality: str, description: str, count: int) -> Series:
    uid = f"{_ROOT}.{study}.{number}"
    return Series(uid, modality, description, tuple(f"{uid}.{each}" for each in range(1, count + 1)))


STUDIES: Final = (
    Study(
        "claire",
        "284027505600134",
        1,
        "2025-09-02T09:20:00+02:00",
        "Scanner du thorax",
        "Thorax",
        (_series(1, 1, "CT", "Coupes axiales", 6), _series(1, 2, "CT", "Reconstructions coronales", 3)),
    ),
    Study(
        "lea",
        "215067505600347",
        2,
        "2025-05-14T17:05:00+02:00",
        "Radiographie du poignet gauche, face et profil",
        "Poignet gauche",
        (_series(2, 1, "DX", "Face et profil", 2),),
    ),
    Study(
        "marc",
        "181117505600221",
        3,
        "2025-10-07T14:30:00+02:00",
        "IRM du genou droit",
        "Genou droit",
        (_series(3, 1, "MR", "Sagittale", 4),),
    ),
)


def entries(names: dict[str, str]) -> Iterator[dict[str, Any]]:
    """Entries of the demo's transaction: each study with its report; `names`: a fullUrl by name."""
    for each in STUDIES:
        url = f"urn:uuid:00000000-0000-4000-8000-00000000ab{each.number:02}"
        yield entry(_study(each, names), url)
        yield entry(_report(each, url, names))


def _study(study: Study, names: dict[str, str]) -> dict[str, Any]:
    return {
        "resourceType": "ImagingStudy",
        "identifier": [{"system": "urn:dicom:uid", "value": f"urn:oid:{study.uid}"}],
        "status": "available",
        "modality": [{"system": _DCM, "code": code} for code in sorted({each.modality for each in study.series})],
        "subject": {"reference": names[study.who]},
        "started": study.started,
        "referrer": {"reference": names["physician"], "display": "DR Dominique SOIGNANT"},
        "location": {"display": "Hôpital de démonstration, imagerie médicale"},
        "description": study.description,
        "numberOfSeries": len(study.series),
        "numberOfInstances": sum(len(each.instances) for each in study.series),
        "series": [
            {
                "uid": each.uid,
                "number": number,
                "modality": {"system": _DCM, "code": each.modality},
                "description": each.description,
                "bodySite": {"display": study.site},
                "numberOfInstances": len(each.instances),
                "instance": [_instance(uid, place) for place, uid in enumerate(each.instances, 1)],
            }
            for number, each in enumerate(study.series, 1)
        ],
    }


def _instance(uid: str, number: int) -> dict[str, Any]:
    kind = {"system": "urn:ietf:rfc:3986", "code": "urn:oid:1.2.840.10008.5.1.4.1.1.7"}
    return {"uid": uid, "sopClass": kind, "number": number}


def _report(study: Study, url: str, names: dict[str, str]) -> dict[str, Any]:
    text = f"{study.description}. Pas d’anomalie. Ce compte rendu est une démonstration."
    return {
        "resourceType": "DocumentReference",
        "masterIdentifier": {"use": "usual", "system": "urn:ietf:rfc:3986", "value": f"urn:oid:{study.uid}.99"},
        "status": "current",
        "type": {
            "coding": [{"system": LOINC, "code": "18748-4", "display": "CR d'imagerie médicale"}],
        },
        "category": [
            {
                "coding": [
                    {
                        "system": "https://mos.esante.gouv.fr/NOS/TRE_A03-ClasseDocument/FHIR/TRE-A03-ClasseDocument",
                        "code": "31",
                        "display": "Imagerie médicale",
                    }
                ]
            }
        ],
        "subject": {"reference": names[study.who]},
        "date": study.started,
        "author": [{"reference": names["physician"]}],
        "custodian": {"reference": names["hospital"]},
        "content": [
            {
                "attachment": {
                    "contentType": "text/plain",
                    "language": "fr-FR",
                    "data": base64.b64encode(text.encode()).decode(),
                    "title": f"Compte rendu : {study.description}",
                }
            }
        ],
        "context": {"related": [{"reference": url}]},
    }
