"""Provisional codes, by which a space is activated: for a time, once, against proofs of who it is.

A code goes by letter or e-mail to the holder, or to who represents a minor or a protected adult. It proves nothing by
itself: birth date and social security number must be known too. Five wrong proofs void it.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from fhirserver.access.zones import zone
from fhirserver.auth.accounts import secretly, throttle, tries
from fhirserver.auth.accounts.account import Reach
from fhirserver.auth.accounts.people import SHUT, UNUSED, Resource, address_of, are_proofs, name_of
from fhirserver.errors import Conflict, NotFound
from fhirserver.mail import is_address

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fhirserver.auth.accounts.people import People
    from fhirserver.auth.accounts.post import Post
    from fhirserver.auth.accounts.secretly import Secrets
    from fhirserver.clock import Clock
    from fhirserver.store import Register, Store

    Over = Callable[[datetime, str], datetime]

REGISTER: Final = "invitations"
CARDS: Final = "vitale"
SUBJECT: Final = "Activez votre espace de santé"
TEXT: Final = (
    "Votre code provisoire est {code}. Il vaut jusqu’au {last:%d/%m/%Y} inclus et une seule fois.\n\n"
    "Ouvrez {url} et munissez-vous de votre date de naissance et de votre numéro de sécurité sociale ; "
    "pour qui vous représentez, des siens.\n"
)


class Invitation(NamedTuple):
    """`key`: the digest of the code. `name`: of the person whose record it is, who lives in `zone`."""

    key: str
    reach: Reach
    ends: datetime
    name: str
    zone: str

    @property
    def last(self) -> date:
        """The last day on which the code is good, where the person lives."""
        return (self.ends - timedelta(microseconds=1)).astimezone(ZoneInfo(self.zone)).date()


class Invitations:
    """`root`: the server's address, for the e-mail. Delays go by `clock`; `over`: the first moment at which a code is
    void, by when it was made and the zone in which the person lives."""

    def __init__(
        self,
        store: Store,
        secrets: Secrets,
        people: People,
        post: Post,
        clock: Clock,
        root: str,
        over: Over,
    ) -> None:
        self._store, self._secrets, self._people, self._post = store, secrets, people, post
        self._clock, self._root, self._over = clock, root, over
        self._throttle = throttle.Throttle(store)

    def invite(self, patient: str, *, by: str, related: str | None = None) -> tuple[str, Invitation]:
        """A new code for the holder of age, or for who represents the person. Raises NotFound or Conflict."""
        found = self._people.patient(patient)
        if found is None:
            raise NotFound("There is no such Patient.")
        state = self._people.state(patient)
        if state in UNUSED | SHUT or state == "closed":
            raise Conflict(f"The space is {state}: nobody can activate it.")
        reach = Reach(patient, self._related(found, related))
        code, now, where = secretly.words(), self._clock(), zone(found)
        ends = self._over(now, where)
        row = {
            "patient": reach.patient,
            "related": reach.related,
            "by": by,
            "tries": 0,
            "ends": ends,
            "until": datetime.now(UTC) + 2 * (ends - now),
        }
        key = self._key(code)
        self._rows.put(key, row)
        return code, Invitation(key, reach, ends, name_of(found), where)

    def mail(self, code: str, invitation: Invitation) -> None:
        """Sends the code to the address that the record knows. Raises Conflict where it knows none, Undelivered."""
        address = self._address(invitation.reach)
        if not address:
            raise Conflict("The record has no e-mail address to send the code to.")
        self._post.send("mail", address, SUBJECT, self._text(code, invitation))

    def prove(self, typed: str, birth: str, matricule: str, address: str) -> Invitation | None:
        """The invitation of a code when the proofs are right; None for whatever is wrong. Raises TooEarly."""
        self._spend(address)
        key = self._key(typed)
        row = self._rows.find(key, datetime.now(UTC))
        patient = self._people.patient(row["patient"]) if row else None
        right = are_proofs(patient or {}, birth, matricule)
        if row is None or patient is None or tries.counted(self._rows, key) is None:
            return None
        if not right or row["ends"] <= self._clock() or not self._still(row):
            return None
        self._throttle.refund(throttle.PROOFS, address)
        return Invitation(key, Reach(row["patient"], row["related"]), row["ends"], name_of(patient), zone(patient))

    def find(self, key: str) -> Invitation | None:
        """An invitation that is still to be had."""
        row = self._rows.find(key, datetime.now(UTC))
        if row is None or row["ends"] <= self._clock() or not self._still(row):
            return None
        patient = self._people.patient(row["patient"]) or {}
        return Invitation(key, Reach(row["patient"], row["related"]), row["ends"], name_of(patient), zone(patient))

    def take(self, key: str) -> bool:
        """Uses a code up: of several who do, one gets True."""
        row = self._rows.take(key, datetime.now(UTC))
        return row is not None and bool(row["ends"] > self._clock())

    def withdraw(self, patient: str) -> None:
        """Voids the codes of who represents a person no longer."""
        for row in self._rows.listed(datetime.now(UTC), count=1000, patient=patient):
            if row["related"] is not None and not self._people.stands_for(Reach(patient, row["related"])):
                self._rows.drop(row["_id"])

    def know_card(self, patient: str, serial: str) -> None:
        """Keeps the serial number of the person's Vitale card, as a digest. Raises NotFound."""
        if self._people.patient(patient) is None:
            raise NotFound("There is no such Patient.")
        self._cards.put(patient, {"serial": self._secrets.digest("vitale", secretly.read(serial))})

    def ask(self, birth: str, matricule: str, serial: str, address: str) -> None:
        """Sends a code to who proves himself by his Vitale card; tells nobody whether it did. Raises TooEarly."""
        self._spend(address)
        for id_ in self._people.of_matricule(matricule):
            patient, card = self._people.patient(id_), self._cards.find(id_, datetime.now(UTC))
            if patient is None or card is None or not are_proofs(patient, birth, matricule):
                continue
            if self._secrets.is_digest("vitale", secretly.read(serial), card["serial"]):
                self._send_to(id_)

    def _send_to(self, patient: str) -> None:
        if self._throttle.spend(throttle.MESSAGES, f"invitation {patient}"):
            return
        try:
            code, made = self.invite(patient, by="self")
        except Conflict:
            return
        if address := self._address(made.reach):
            self._post.send_aside("mail", address, SUBJECT, self._text(code, made))

    def _text(self, code: str, made: Invitation) -> str:
        return TEXT.format(code=code, last=made.last, url=f"{self._root}/activation")

    def _related(self, patient: Resource, related: str | None) -> str | None:
        """The RelatedPerson who gets the code; None for the holder. Raises Conflict."""
        minor = self._people.is_minor(patient)
        if related is None and not minor:
            return None
        known = [str(each["id"]) for each, rights in self._people.represented_by(patient) if rights.read]
        if related is None and len(known) == 1:
            return known[0]
        if related in known:
            return related
        if minor:
            raise Conflict("The person is a minor: name one of the RelatedPersons who represent him.")
        raise Conflict("The person is of age, and no measure in force has this RelatedPerson represent him.")

    def _still(self, row: Mapping[str, Any]) -> bool:
        """Whether who got the code may still use it: a minor's parent until the majority."""
        return row["related"] is None or self._people.stands_for(Reach(row["patient"], row["related"]))

    def _address(self, reach: Reach) -> str:
        if reach.related is None:
            found = address_of(self._people.patient(reach.patient) or {}, "email")
        else:
            relations = {each["id"]: each for each in self._people.relations(reach.patient)}
            found = address_of(relations.get(reach.related, {}), "email")
        return found if is_address(found) else ""

    def _spend(self, address: str) -> None:
        if wait := self._throttle.spend(throttle.PROOFS, address):
            raise TooEarly(wait)

    def _key(self, code: str) -> str:
        return self._secrets.digest("invitation", secretly.read(code))

    @property
    def _rows(self) -> Register:
        return self._store.register(REGISTER, ("patient",))

    @property
    def _cards(self) -> Register:
        return self._store.register(CARDS)


class TooEarly(Exception):
    """Too many tries from one address: `wait` is left."""

    def __init__(self, wait: timedelta) -> None:
        super().__init__("too many tries")
        self.wait = wait
