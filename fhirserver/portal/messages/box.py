"""The messages that who is logged in sees: a person those of the record, a professional his own."""

from __future__ import annotations

import base64
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from flask import abort, g

from fhirserver import jsontext
from fhirserver.access import keys
from fhirserver.access.private import MESSAGE
from fhirserver.documents.media import media_of
from fhirserver.espace.messages import message
from fhirserver.espace.messages.address import address_of
from fhirserver.portal import browser
from fhirserver.portal.language import _
from fhirserver.portal.record import wording
from fhirserver.portal.record.own import SENT
from fhirserver.portal.record.space import PERSONS, Found, Refused, Space, opened
from fhirserver.rest.edge import services
from fhirserver.rest.pages import PARAMETER
from fhirserver.rest.routes import ID

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Resource = dict[str, Any]

COUNT: Final = "50"
_MOST_UNREAD: Final = "200"
_CATEGORY: Final = ("category", f"{MESSAGE['system']}|{MESSAGE['code']}")
_FIRST: Final = ("part-of:missing", "true")


class Box:
    """`url`: where its pages begin; `layout`: the template that they are put into."""

    def __init__(self, space: Space, url: str, layout: str) -> None:
        self.space, self.url, self.layout = space, url, layout

    @property
    def address(self) -> str | None:
        """The person's own address of MSSanté."""
        return address_of(self.space.patient, services().settings.mssante_domain) if self.space.is_person else None

    def threads(self, page: str = "") -> Found:
        """First messages of threads, the latest first."""
        if self.space.is_person:
            return self.space.search(message.TYPE, _CATEGORY, _FIRST, ("_sort", "-sent"), ("_count", COUNT), page=page)
        found = self._mine("sender:identifier", _FIRST, ("_sort", "-sent"), ("_count", COUNT), page=page)
        if not page:
            known = {each["id"] for each in found.resources}
            others = self._mine("recipient:identifier", _FIRST, ("_sort", "-sent"), ("_count", COUNT)).resources
            found.resources += [each for each in others if each["id"] not in known]
            found.resources.sort(key=lambda each: str(each.get("sent")), reverse=True)
        return found

    def unread(self) -> list[Resource]:
        """Messages to this side that nobody there has read."""
        asked = (("received:missing", "true"), ("_count", _MOST_UNREAD))
        if self.space.is_person:
            recipient = ("recipient", f"Patient/{self.space.id}")
            return self.space.search(message.TYPE, _CATEGORY, recipient, *asked).resources
        return self._mine("recipient:identifier", *asked).resources

    def message(self, id: str) -> Resource:
        """A message by its id; the page of 404 for what is none, hidden, or another record's."""
        if not ID.fullmatch(id):
            abort(404)
        space = self.space
        found = space.one(message.TYPE, id) if space.is_person else space.read(f"{message.TYPE}/{id}")
        return found if message.is_sent(found) else abort(404)

    def answers(self, thread: str, page: str = "") -> Found:
        """The messages of a thread but the first, the oldest first."""
        asked = (("part-of", f"{message.TYPE}/{thread}"), ("_sort", "sent"), ("_count", COUNT))
        return self.space.search(message.TYPE, *asked, page=page) if self.space.is_person else self._found(asked, page)

    def read(self, found: Iterable[Resource]) -> None:
        """Says of messages to this side, which are shown now, that they were read."""
        for each in found:
            if "received" not in each and self.is_addressed(each):
                with suppress(Refused):  # the space is closed: nothing of it changes
                    self.do(each["id"], "received")

    def is_addressed(self, found: Mapping[str, Any]) -> bool:
        named = [*found.get("recipient", ())]
        if self.space.is_person:
            return any(each.get("reference") == f"Patient/{self.space.id}" for each in named)
        mine = self.space.subject.own
        return any(set(keys.of_identifier(each.get("identifier"))) & mine for each in named)

    def do(self, id: str, operation: str, parameters: Resource | None = None) -> Resource:
        """An operation on a message. Raises Refused."""
        answer = self.space.ask("POST", f"{message.TYPE}/{id}/${operation}", parameters)
        return jsontext.parse_object(answer.body or b"{}")

    def send(self, once: str, text: str, files: Iterable[tuple[str, bytes]], **more: Any) -> Resource:
        """Sends a message; one that the same form has sent already is that one. Raises Refused."""
        payload: list[Resource] = [{"contentString": text}] if text else []
        for name, data in files:
            held = {"contentType": media_of(data), "data": base64.b64encode(data).decode(), "title": name}
            payload.append({"contentAttachment": {each: value for each, value in held.items() if value}})
        made = {
            "resourceType": message.TYPE,
            "status": "completed",
            "identifier": [{"system": SENT, "value": once}],
            "category": message.category(),
            "payload": [*payload, *more.pop("payload", ())],
            **more,
        }
        answer = self.space.ask("POST", message.TYPE, made, If_None_Exist=f"identifier={SENT}|{once}")
        return jsontext.parse_object(answer.body or b"{}")

    def shown(self, found: Mapping[str, Any]) -> Resource:
        """A message as a page tells of it."""
        sender = found.get("sender") or {}
        mine = self._is_mine(sender)
        return {
            "id": found["id"],
            "title": message.title(found) or _("Sans objet"),
            "who": _("Vous") if mine else _name(sender),
            "mine": mine,
            "person": _name(found.get("subject") or {}),
            "with": _name(sender if self.space.is_person else found.get("subject") or {}),
            "sent": wording.when(found.get("sent"), time=True),
            "received": wording.when(found.get("received"), time=True),
            "texts": message.texts(found),
            "files": list(enumerate(message.attachments(found), 1)),
            "links": [wording.actor(each) for each in _references(found)],
            "files_own": self.space.is_person or mine,
            "closed": message.is_closed(found),
            "closer": message.closer(found) == message.side(self.space.subject),
        }

    def _is_mine(self, sender: Mapping[str, Any]) -> bool:
        return bool(set(keys.of_reference(dict(sender), {}, {})) & self.space.subject.own)

    def _mine(self, name: str, *params: tuple[str, str], page: str = "") -> Found:
        who = self.space.subject
        numbers = [f"{keys.RPPS}|{who.rpps}"] if who.rpps else []
        numbers += [f"{keys.FINESS}|{who.organization}"] if who.organization else []
        return self._found(((name, ",".join(numbers) or "|"), _CATEGORY, *params), page)

    def _found(self, params: Iterable[tuple[str, str]], page: str = "") -> Found:
        asked = ((PARAMETER, page),) if page else (*params, ("_total", "none"))
        return Found(self.space.read(message.TYPE, *asked))


def of_person(patient: str) -> Box:
    """The messages of a record, for the person's own side."""
    space = opened(patient, *PERSONS)
    return Box(space, f"{space.url}/messages", "record/base.html")


def of_professional() -> Box:
    """A professional's own messages."""
    session = browser.needed_session()
    if session.subject.kind != "practitioner":
        abort(404)
    g.page_context = {"own": True}
    return Box(Space(session.subject), "/messages", "messages/base.html")


def _references(found: Mapping[str, Any]) -> list[Resource]:
    return [each["contentReference"] for each in found.get("payload", ()) if "contentReference" in each]


def _name(reference: Mapping[str, Any]) -> str:
    """Who is meant, as far as the message says; never an id."""
    named = str(reference.get("display") or "")
    identifier = reference.get("identifier") or {}
    number, system = identifier.get("value"), str(identifier.get("system"))
    kind = {keys.RPPS: "RPPS", keys.FINESS: "FINESS"}.get(system, "")
    if named or not number:
        return named or (
            _("la personne") if str(reference.get("reference", "")).startswith("Patient/") else _("un proche")
        )
    return f"{kind} {number}".strip()
