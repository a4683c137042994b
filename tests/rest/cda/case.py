"""A person of whom the corpus tells, and the documents about him."""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from fhirserver import jsontext
from fhirserver.documents.cda import convert
from tests.documents.corpus import corpus

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.application import Answer, Caller

CDA = {"Content-Type": "application/hl7-v3+xml"}
LABORATORY, HOSPITAL = "750000001", "130000002"
HEMOGRAM = "bio-hemogramme"
V2_0203 = "https://hl7.fr/ig/fhir/core/CodeSystem/fr-core-cs-v2-0203"
MASKED = {
    "system": "https://mos.esante.gouv.fr/NOS/TRE_A07-StatusVisibiliteDocument/FHIR/TRE-A07-StatusVisibiliteDocument",
    "code": "MASQUE_PS",
}
NOT_KNOWN = (
    "The identity of the patient could not be established: OID, matricule, birth name, first given name, sex, date and "
    "place of birth must all agree with one open record."
)
NUMBERS = itertools.count(10000)


def person(document: str = HEMOGRAM, **changes: Any) -> dict[str, Any]:
    """The Patient of a document of the corpus, as its header names them."""
    found = convert(corpus()[document]).document.patient.resource
    kept = {name: found[name] for name in ("resourceType", "identifier", "name", "gender", "birthDate", "extension")}
    kept["identifier"] = [
        {"system": each["system"], "value": each["value"], "use": "official"}
        for each in found["identifier"]
        if each["system"].startswith("urn:oid:1.2.250.1.213.1.4.")
    ]
    return {**kept, "active": True, **changes}


def anew(data: bytes, root: str) -> bytes:
    """The document under another unique id."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return anew(data.decode("utf-16").encode(), root).decode().encode("utf-16")
    return re.sub(rb'(<(?:\w+:)?id root=")[^"]+(")', rb"\g<1>" + root.encode() + rb"\2", data, count=1)


class Case(NamedTuple):
    """Somebody of whom the corpus tells, under a matricule and with documents of their own."""

    number: int

    def document(self, name: str = HEMOGRAM) -> bytes:
        data = corpus()[name]
        if data.startswith((b"\xff\xfe", b"\xfe\xff")):
            return self._own(data.decode("utf-16").encode()).decode().encode("utf-16")
        return self._own(data)

    def person(self, **changes: Any) -> dict[str, Any]:
        found: dict[str, Any] = jsontext.parse_object(self._own(jsontext.dump(person())))
        return {name: value for name, value in {**found, **changes}.items() if value is not None}

    def names(self, waiting: Mapping[str, Any]) -> bool:
        """Whether a document that waits is one of these."""
        return f"1.2.250.1.213.99.7.{self.number}." in waiting["uniqueId"]

    def _own(self, data: bytes) -> bytes:
        data = data.replace(b"279035121518989", b"2790351215%05d" % self.number)
        return data.replace(b"1.2.250.1.213.99.7.", b"1.2.250.1.213.99.7.%d." % self.number)


def deposit(caller: Caller, data: bytes, query: str = "", **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return caller.call("POST", f"$cda{query}", data, CDA | named)
