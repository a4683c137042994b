"""Whose document it is, and whose number: identity vigilance by the national health identity (INS).

A document enters a record when the OID, the matricule and the strict traits that it states all agree with one active
Patient; a name alone never leads anywhere. Of a Patient, an INS is borne by one active record only.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Any, Final

from fhirserver import jsontext
from fhirserver.access import Access
from fhirserver.errors import Conflict, Unprocessable
from fhirserver.rest.compartment import INS_SYSTEMS, numbers_of
from fhirserver.search import parse
from fhirserver.search.escape import escape

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fhirserver.documents.cda import PatientTraits
    from fhirserver.rest.exchange import Exchange
    from fhirserver.store import Transaction

REASON: Final = "identity vigilance"
_CORE: Final = "https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-"
_BIRTH_NAMES: Final = f"{_CORE}patient-birth-list-given-name"
_COMMUNE: Final = f"{_CORE}address-insee-code"
_BIRTH_PLACE: Final = "http://hl7.org/fhir/StructureDefinition/patient-birthPlace"
_UNKNOWN_PLACE: Final = "99999"
_NEEDED: Final = ("birth_name", "first_given", "gender", "birth_date")
_apart: Final = re.compile(r"[^A-Z0-9]+")

Traits = dict[str, str | None]
Resource = dict[str, Any]


class Unidentified(Unprocessable):
    """It is not established whose document it is. `why` is for identity vigilance, not for the depositor: it tells
    what of a record disagrees."""

    def __init__(self, text: str, why: str) -> None:
        super().__init__(text, code="business-rule", expression="/ClinicalDocument/recordTarget")
        self.why = why


_NOT_ESTABLISHED: Final = (
    "The identity of the patient could not be established: OID, matricule, birth name, first given name, sex, date and "
    "place of birth must all agree with one open record."
)
_NO_INS: Final = (
    "The document names no national health identity (INS) of the patient: patientRole/id with the OID of an INS."
)


def established(exchange: Exchange, tx: Transaction, traits: PatientTraits) -> str:
    """The id of the one active Patient that a document is about.

    Raises Unidentified; the text is the same whether there is no such record or its traits disagree.
    """
    numbers = [each for each in traits.identifiers if each[0] in INS_SYSTEMS]
    if not numbers:
        raise Unidentified(_NO_INS, "no INS in the document")
    found = {id: patient for number in numbers for id, patient in bearers(exchange, tx, *number)}
    if len(found) != 1:
        raise Unidentified(_NOT_ESTABLISHED, f"{len(found)} active records have the INS")
    ((id, patient),) = found.items()
    differing = disagreeing(stated(traits), held(patient))
    if differing:
        raise Unidentified(_NOT_ESTABLISHED, f"Patient/{id} disagrees: {', '.join(differing)}")
    return id


def bearers(exchange: Exchange, tx: Transaction, system: str, value: str) -> Iterator[tuple[str, Resource]]:
    """The active Patients that bear an INS now; one that is `old` is borne no more."""
    number = f"{escape(system)}|{escape(value)}"
    asked = [("identifier", number), ("active:not", "false"), ("_count", "20"), ("_total", "none")]
    query = parse(exchange.services.definitions, "Patient", asked)
    for stored in tx.trusted(Access.system(REASON, exchange.access.now)).search(query).matches:
        patient = jsontext.parse_object(stored.body)
        if (system, value) in numbers_of(patient):
            yield stored.id, patient


def require_own_number(
    exchange: Exchange, tx: Transaction, patient: Resource, id: str, before: Resource | None = None
) -> None:
    """An INS belongs to one active record: raises Conflict when another one bears what is new here since `before`. Of
    several that store the same at once, one does."""
    if patient["resourceType"] != "Patient" or patient.get("active") is False:
        return
    known = numbers_of(before) if before and before.get("active") is not False else []
    numbers = sorted({*numbers_of(patient)} - {*known})
    tx.lock(f"Patient#{value}" for _, value in numbers)
    for number in numbers:
        if any(other != id for other, _ in bearers(exchange, tx, *number)):
            text = "Patient.identifier: another active record bears this INS: a person has one record."
            raise Conflict(text, code="duplicate", expression="Patient.identifier")


def disagreeing(document: Traits, record: Traits) -> list[str]:
    """The names of the strict traits that do not agree.

    The place of birth and the list of given names are compared where the record holds them.
    """
    found = [name for name in _NEEDED if document[name] is None or document[name] != record[name]]
    if record["birth_place"] is not None and document["birth_place"] != record["birth_place"]:
        found.append("birth_place")
    if None not in (document["givens"], record["givens"]) and document["givens"] != record["givens"]:
        found.append("givens")
    return found


def stated(traits: PatientTraits) -> Traits:
    """The strict traits of a document, as they are compared."""
    return {
        "birth_name": plain(traits.birth_name),
        "first_given": plain(traits.given[0] if traits.given else None),
        "givens": _words(" ".join(traits.given)) if len(traits.given) > 1 else None,
        "gender": traits.gender,
        "birth_date": traits.birth_date,
        "birth_place": traits.birth_place,
    }


def held(patient: Mapping[str, Any]) -> Traits:
    """The strict traits of a record, as they are compared."""
    names = [each for each in patient.get("name") or () if each.get("use") in ("official", "maiden", None)]
    name: Mapping[str, Any] = min(names, key=lambda each: each.get("use") != "official", default={})
    listed = next(_extended(name, _BIRTH_NAMES, "valueString"), "")
    given = name.get("given") or [listed.partition(" ")[0]]
    places = _extended(patient, _BIRTH_PLACE, "valueAddress")
    codes = (coding.get("code") for place in places for coding in _extended(place, _COMMUNE, "valueCoding"))
    return {
        "birth_name": plain(name.get("family")),
        "first_given": plain(given[0]),
        "givens": _words(listed),
        "gender": patient.get("gender"),
        "birth_date": patient.get("birthDate"),
        "birth_place": next((each for each in codes if each != _UNKNOWN_PLACE), None),
    }


def plain(name: str | None) -> str | None:
    """A name as the INS writes names: capitals, without accents, hyphens or apostrophes; None for an empty one."""
    if not name:
        return None
    letters = unicodedata.normalize("NFKD", name.upper().replace("Œ", "OE").replace("Æ", "AE"))
    bare = "".join(each for each in letters if not unicodedata.combining(each))
    return _apart.sub(" ", bare).strip() or None


def _words(names: str) -> str | None:
    """The words of names, each once, in an order of their own."""
    return " ".join(sorted(set((plain(names) or "").split()))) or None


def _extended(holder: Mapping[str, Any], url: str, member: str) -> Iterator[Any]:
    """The values of the extensions of a url."""
    for each in holder.get("extension") or ():
        if each.get("url") == url and member in each:
            yield each[member]
