"""What the records say of those who have accounts: who they are, and whom they may act for."""

from __future__ import annotations

import hmac
import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fhirserver import jsontext
from fhirserver.access import Access, Requester, moments, representation, spaces
from fhirserver.access.zones import zone
from fhirserver.auth.accounts.account import Account, Reach
from fhirserver.auth.tokens import DEFAULT_SCOPES
from fhirserver.search import parse
from fhirserver.validation import ins

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fhirserver.access.representation import Rights
    from fhirserver.clock import Clock
    from fhirserver.spec import Definitions
    from fhirserver.store import Store

REASON: Final = "authentication"
PURPOSE: Final = "PATRQT"
AGENT: Final = "espace"
"""The scope of an agent of the health insurance, and the only one that such a token needs: it reads nothing."""
UNUSED: Final = frozenset({"deceased", "expired"})
"""States of a space that nobody enters."""
SHUT: Final = frozenset({"suspended", "archived"})
"""States in which a space shows nothing but its state: it is objected to, or reopened."""
Resource = dict[str, Any]


class Subject(NamedTuple):
    """Somebody to act for: `reach` tells them apart, `name` is what is shown."""

    requester: Requester
    name: str
    reach: Reach


class People:
    """Reads the records of one server, as its own trusted work."""

    def __init__(self, store: Store, definitions: Definitions, clock: Clock) -> None:
        self._store, self._definitions, self._clock = store, definitions, clock

    def patient(self, id_: str) -> Resource | None:
        return self._read("Patient", id_)

    def state(self, id_: str) -> str:
        """The state of the person's space."""
        access = self._access()
        record = self._store.insight(access).record("Patient", id_)
        found = [spaces.state(policy.space, access.now) for policy in (record.policies if record else ())]
        return found[0] if found else spaces.DEFAULT

    def relations(self, patient: str) -> list[Resource]:
        """The RelatedPersons of a record that are active."""
        return [each for each, _ in self._relations(patient) if each.get("active") is not False]

    def represented_by(self, patient: Resource) -> list[tuple[Resource, Rights]]:
        """Who represents a person now, and what each may: of a minor, or of a protected adult."""
        found = [(each, self._rights(patient, each, vouched)) for each, vouched in self._relations(str(patient["id"]))]
        return [(each, rights) for each, rights in found if any(rights)]

    def rights(self, patient: Resource, related: str) -> Rights:
        """What the person of a RelatedPerson may for a patient now (CSP R.1111-40)."""
        found = self._store.view(self._access()).read("RelatedPerson", related)
        if found is None or found.deleted:
            return representation.NOTHING
        resource = jsontext.parse_object(found.body)
        if (resource.get("patient") or {}).get("reference") != f"Patient/{patient.get('id')}":
            return representation.NOTHING
        return self._rights(patient, resource, not found.acl["by"])

    def of_matricule(self, matricule: str) -> list[str]:
        """The patients who have this INS."""
        if not matricule.isalnum():
            return []
        asked = ",".join(f"{system}|{matricule}" for system in sorted(ins.INS))
        query = parse(self._definitions, "Patient", [("identifier", asked)])
        return [each.id for each in self._store.view(self._access()).search(query).matches]

    def is_minor(self, patient: Resource) -> bool:
        """Whether he is surely under 18 now; not, when no date of birth tells."""
        of_age = moments.majority(patient.get("birthDate"), zone(patient))
        return of_age is not None and self._clock() < of_age

    def subjects(self, account: Account) -> list[Subject]:
        """Whom an account may act for now (CSP R.1111-40): a representative, until the minor may be 18 or the measure
        ends."""
        if account.kind == "operator":
            who = Requester("operator", f"operator/{account.id}", scopes=DEFAULT_SCOPES["operator"], name=account.login)
            return [Subject(who, account.login, Reach(""))]
        if account.kind == "agent":
            who = Requester("operator", f"agent/{account.id}", scopes=(AGENT,), name=account.login)
            return [Subject(who, account.login, Reach(""))]
        return [subject for reach in account.records for subject in self._subject(reach)]

    def still_acts(self, who: Requester) -> bool:
        """Whether a representative still is one; whatever else somebody may is for the access rules."""
        if who.kind != "representative":
            return True
        return any(self._subject(Reach(who.patient or "", who.id.rpartition("/")[2])))

    def stands_for(self, reach: Reach) -> bool:
        """Whether a reach by a RelatedPerson is that of a representative now, whatever the state of the space."""
        patient = self.patient(reach.patient)
        return patient is not None and reach.related is not None and self.rights(patient, reach.related).read

    def _subject(self, reach: Reach) -> Iterator[Subject]:
        patient = self.patient(reach.patient)
        if patient is None or self.state(reach.patient) in UNUSED:
            return
        name = name_of(patient)
        common: dict[str, Any] = {"patient": reach.patient, "purpose": PURPOSE}
        if reach.related is None:
            who = Requester(
                "patient", f"patient/{reach.patient}", scopes=DEFAULT_SCOPES["patient"], name=name, **common
            )
            yield Subject(who, name, reach)
            return
        if not self.rights(patient, reach.related).read:
            return
        related = self._read("RelatedPerson", reach.related) or {}
        scopes = DEFAULT_SCOPES["representative"]
        who = Requester(
            "representative", f"RelatedPerson/{reach.related}", scopes=scopes, name=name_of(related), **common
        )
        yield Subject(who, name, reach)

    def _relations(self, patient: str) -> list[tuple[Resource, bool]]:
        """RelatedPersons of a record, and whether an operator declared each."""
        query = parse(self._definitions, "RelatedPerson", [("patient", f"Patient/{patient}")])
        found = self._store.view(self._access()).search(query).matches
        return [(jsontext.parse_object(each.body), not each.acl["by"]) for each in found]

    def _rights(self, patient: Resource, related: Resource, vouched: bool) -> Rights:
        found = representation.representative(related, vouched=vouched)
        return found.rights(self._clock(), minor=self.is_minor(patient))

    def _read(self, type_: str, id_: str) -> Resource | None:
        found = self._store.view(self._access()).read(type_, id_)
        return None if found is None or found.deleted else jsontext.parse_object(found.body)

    def _access(self) -> Access:
        return Access.system(REASON, self._clock())


def name_of(resource: Resource) -> str:
    """The name as it is said: given names and family name; empty for none."""
    names = [each for each in resource.get("name") or () if isinstance(each, dict) and each.get("use") != "old"]
    if not names:
        return ""
    found = next((each for each in names if each.get("use") == "usual"), names[0])
    return " ".join([*(found.get("given") or ())[:1], found.get("family") or ""]).strip() or found.get("text") or ""


def address_of(resource: Resource, system: str) -> str:
    """The first `email` or `phone` that the resource tells, empty for none."""
    told = [each for each in resource.get("telecom") or () if each.get("system") == system and each.get("use") != "old"]
    return next((str(each["value"]) for each in told if each.get("value")), "")


def are_proofs(patient: Resource, birth: str, matricule: str) -> bool:
    """Whether birth date (`AAAA-MM-JJ`) and social security number (15 characters) are those of the patient."""
    numbers = [
        str(each.get("value"))
        for each in patient.get("identifier") or ()
        if each.get("system") in ins.INS and each.get("use") != "old"
    ]
    born = hmac.compare_digest(str(patient.get("birthDate")).encode(), birth.encode("utf-8", "replace"))
    said = matricule.encode("utf-8", "replace")
    known = [hmac.compare_digest(number.encode(), said) for number in numbers]
    return born and any(known)


def read_matricule(typed: str) -> str:
    """A social security number as it is typed: with spaces, the key separated."""
    return re.sub(r"[\s.-]", "", typed).upper()


def read_birth(typed: str) -> str:
    """A date as it is typed, `AAAA-MM-JJ` or `JJ/MM/AAAA`; empty for what is none."""
    plain = typed.strip()
    if found := re.fullmatch(r"(\d{1,2})[/. -](\d{1,2})[/. -](\d{4})", plain):
        return f"{found[3]}-{int(found[2]):02}-{int(found[1]):02}"
    return plain if re.fullmatch(r"\d{4}-\d{2}-\d{2}", plain) else ""
