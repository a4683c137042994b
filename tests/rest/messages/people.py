"""A record and who writes messages about it."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from fhirserver.access import Requester

if TYPE_CHECKING:
    from tests.application import Answer, Application, Caller

RPPS, FINESS = "https://rpps.esante.gouv.fr", "https://finess.esante.gouv.fr"
ALICE, BOB, CAROL = "10000000018", "10000000027", "10000000036"
HIS = "750000001"
CATEGORY = [{"coding": [{"system": "urn:fhirserver:message", "code": "message"}]}]
TAG = {"system": "urn:fhirserver:message", "code": "message"}
PDF = b"%PDF-1.4 compte rendu"


def rpps(number: str) -> dict[str, Any]:
    return {"type": "Practitioner", "identifier": {"system": RPPS, "value": number}}


def finess(number: str) -> dict[str, Any]:
    return {"type": "Organization", "identifier": {"system": FINESS, "value": number}}


def attachment(data: bytes = PDF, title: str = "Compte rendu") -> dict[str, Any]:
    return {"contentAttachment": {"contentType": "x/y", "data": base64.b64encode(data).decode(), "title": title}}


def professional(number: str, *addresses: str, **more: Any) -> dict[str, Any]:
    """A Practitioner of the directory, with addresses of MSSanté."""
    kind = {"coding": [{"system": "https://hl7.fr/ig/fhir/core/CodeSystem/fr-core-cs-v2-0203", "code": "RPPS"}]}
    return {
        "resourceType": "Practitioner",
        "active": True,
        "identifier": [{"system": RPPS, "value": number, "type": kind}],
        "name": [{"family": "SOIGNANT", "given": ["Dominique"]}],
        **more,
    } | ({"telecom": [mailbox(each) for each in addresses]} if addresses else {})


def mailbox(address: str) -> dict[str, Any]:
    kind = {
        "system": "https://mos.esante.gouv.fr/NOS/TRE_R256-TypeMessagerie/FHIR/TRE-R256-TypeMessagerie",
        "code": "MSSANTE",
    }
    url = "https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-contact-point-email-type"
    return {"system": "email", "value": address, "extension": [{"url": url, "valueCoding": kind}]}


KIND = {"coding": [{"system": "https://hl7.fr/ig/fhir/core/CodeSystem/fr-core-cs-v2-0203", "code": "INS-NIR-DEMO"}]}
PARENT = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-RoleCode", "code": "MTH"}]}


class House:
    def __init__(self, application: Application) -> None:
        self.application = application
        self.operator = application.operator()
        number = {"system": "urn:oid:1.2.250.1.213.1.4.11", "value": "284027505600134", "use": "official"}
        self.patient = self.operator.create({
            "resourceType": "Patient", "active": True, "birthDate": "2012-02-29", "gender": "female",
            "identifier": [{**number, "type": KIND}],
            "name": [{"use": "official", "family": "EXEMPLE", "given": ["Claire"]}],
        })  # fmt: skip
        self.mother = self.operator.create({
            "resourceType": "RelatedPerson", "patient": {"reference": f"Patient/{self.patient}"}, "active": True,
            "relationship": [PARENT],
        })  # fmt: skip
        self.person = {"reference": f"Patient/{self.patient}"}
        self.claire = application.patient(self.patient)
        self.parent = application.representative(self.patient, self.mother)
        self.alice = application.practitioner(ALICE, organization=HIS)
        self.bob = application.practitioner(BOB, organization=HIS)
        self.carol = application.practitioner(CAROL)
        self.desk = application.caller(
            Requester("system", "client/his", client="his", organization=HIS, scopes=("system/*.cruds",))
        )

    def message(self, *payload: dict[str, Any], **more: Any) -> dict[str, Any]:
        said = [*payload] or [{"contentString": "Bonjour."}]
        return {
            "resourceType": "Communication", "status": "completed", "category": CATEGORY, "payload": said,
            "subject": self.person, **more,
        }  # fmt: skip

    def opened(self, who: Caller | None = None, *payload: dict[str, Any], **more: Any) -> str:
        """The id of a new thread."""
        return (who or self.alice).create(self.message(*payload, topic={"text": "Vos résultats"}, **more))

    def answered(self, thread: str, who: Caller, *payload: dict[str, Any], **more: Any) -> Answer:
        return who.post(
            "Communication", self.message(*payload, partOf=[{"reference": f"Communication/{thread}"}], **more)
        )
