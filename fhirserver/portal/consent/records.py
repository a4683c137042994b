"""Whose record an app is opened for: the holder's own, the person represented, or whom a professional chooses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
from cryptography.fernet import Fernet, InvalidToken

from fhirserver import jsontext
from fhirserver.access import Access
from fhirserver.access.keys import IDNPS, RPPS
from fhirserver.audit import Event, shown
from fhirserver.rest.compartment import INS_SYSTEMS, numbers_of
from fhirserver.search import parse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fhirserver.access import Requester
    from fhirserver.auth.server.launch import Launch
    from fhirserver.rest.services import Services

_SECONDS = 1800


class Record(NamedTuple):
    """A record by the id of its Patient, with the person's name; `context` of the launch, if there was one."""

    id: str
    name: str
    context: Mapping[str, Any] = {}


class Records:
    """The records that somebody may open an app for."""

    def __init__(self, services: Services, subject: Requester) -> None:
        self._services, self.subject = services, subject
        self._access = Access.of(subject, services.clock())
        self._view = services.store.view(self._access)

    def named(self, id_: str, context: Mapping[str, Any] | None = None) -> Record | None:
        """The record of this id, when the person may see it."""
        stored = self._view.read("Patient", id_)
        if stored is None:
            return None
        return Record(id_, name_of(jsontext.parse_object(stored.body)), context or {})

    def launched(self, launch: Launch) -> Record | None:
        return self.named(launch.patient, launch.context) if launch.patient else None

    def by_ins(self, number: str) -> Record | None:
        """The one open record that bears this INS and that the person may see; the search is traced."""
        value = "".join(number.split())
        if not value.isalnum():
            return None
        wanted = ",".join(f"{system}|{value}" for system in sorted(INS_SYSTEMS))
        asked = [("identifier", wanted), ("active:not", "false"), ("_count", "3"), ("_total", "none")]
        found = self._view.search(parse(self._services.definitions, "Patient", asked)).matches
        people = [(each, jsontext.parse_object(each.body)) for each in found]
        bearing = [(each, person) for each, person in people if value in {last for _, last in numbers_of(person)}]
        self._services.trace(self._access, Event("search-type", 200, found=shown(each for each, _ in bearing)))
        if len(bearing) != 1:
            return None
        ((stored, person),) = bearing
        return Record(stored.id, name_of(person))

    def sealed(self, record: Record) -> str:
        """The choice as a field of a form, for this person and a while only."""
        return self._fernet.encrypt(orjson.dumps([self.subject.id, record.id])).decode()

    def opened(self, text: str) -> Record | None:
        """The choice that was sealed for this person, when he may still see it."""
        try:
            who, id_ = orjson.loads(self._fernet.decrypt(text.encode("ascii", "replace"), ttl=_SECONDS))
        except (InvalidToken, ValueError):
            return None
        return self.named(id_) if who == self.subject.id else None

    def fhir_user(self) -> str | None:
        """The URL of the resource that stands for the person (SMART: Patient, RelatedPerson or Practitioner)."""
        who = self.subject
        if who.kind == "patient":
            return f"{self._services.base}/Patient/{who.patient}"
        kind, _, id_ = who.id.rpartition("/")
        if kind in ("RelatedPerson", "Practitioner"):
            return f"{self._services.base}/{kind}/{id_}"
        return self._professional(who.rpps) if who.rpps else None

    def _professional(self, rpps: str) -> str | None:
        wanted = f"{RPPS}|{rpps},{IDNPS}|8{rpps}"
        query = parse(self._services.definitions, "Practitioner", [("identifier", wanted), ("_count", "2")])
        found = self._view.search(query).matches
        return f"{self._services.base}/Practitioner/{found[0].id}" if found else None

    @property
    def _fernet(self) -> Fernet:
        return Fernet(self._services.derive("record-choice"))


def name_of(patient: Mapping[str, Any]) -> str:
    """The name of a Patient as it is shown: given names, then the family's."""
    names = [each for each in patient.get("name") or () if isinstance(each, dict) and each.get("use") != "old"]
    usual = next((each for each in names if each.get("use") == "usual"), names[0] if names else {})
    parts = [*(usual.get("given") or ())[:1], usual.get("family")]
    return " ".join(str(each) for each in parts if each) or str(usual.get("text") or "Dossier sans nom")
