"""A record as who is logged in may use it: each page asks what an app would ask of the API, and is answered alike.

The requests go through the handlers of `rest`: the same access view, the same checks of writes, the same trace.
"""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from flask import Request, abort, after_this_request, g
from werkzeug.test import EnvironBuilder

from fhirserver import jsontext
from fhirserver.access import Access
from fhirserver.access.requester import PERSONS as PERSONS
from fhirserver.errors import FhirError
from fhirserver.portal import browser, dates, language
from fhirserver.portal.consent.records import name_of
from fhirserver.portal.page import error_page
from fhirserver.portal.record import emergency, menu
from fhirserver.rest import inner, negotiate
from fhirserver.rest.edge import services
from fhirserver.rest.exchange import Exchange
from fhirserver.rest.pages import PARAMETER
from fhirserver.rest.read import read
from fhirserver.rest.routes import ID
from fhirserver.rest.transaction import transaction

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from flask import Response

    from fhirserver.access import Requester
    from fhirserver.audit import Event
    from fhirserver.rest.answer import Answer

Resource = dict[str, Any]
READERS: Final = (*PERSONS, "practitioner")
JSON_PATCH: Final = "application/json-patch+json"
PAGE: Final = "page"
"""Name of the parameter of our URLs that holds a sealed page link."""
_HIDDEN: Final = (403, 404, 410)


class Refused(Exception):
    """What was asked is not done; `status` as the API answers, `told` what it says."""

    def __init__(self, status: int, told: str) -> None:
        super().__init__(told)
        self.status, self.told = status, told


class Found:
    """A page of a search: its resources, and the sealed link to what follows."""

    def __init__(self, bundle: Resource) -> None:
        self.resources: list[Resource] = [
            each["resource"] for each in bundle.get("entry", ()) if each.get("search", {}).get("mode") != "include"
        ]
        links = {each["relation"]: each["url"] for each in bundle.get("link", ())}
        self.next = links.get("next", "").partition(f"{PARAMETER}=")[2].partition("&")[0]


class _Asking(Exchange):
    """What a page asks; the traces of it are kept, to be stored together before the page is answered."""

    def __init__(self, who: Requester) -> None:
        environ = EnvironBuilder(f"{inner.PREFIX}/", headers=[("Accept-Language", language.current())]).get_environ()
        super().__init__(services(), Request(environ), who)
        self.inner = inner
        self.view = services().store.view(self.access, steady=True)
        self.events: list[Event] = []
        after_this_request(self._stored)

    def trace(self, event: Event) -> None:
        self.events.append(event)

    def _stored(self, response: Response) -> Response:
        try:
            services().trace_all(self.access, self.events)
        except FhirError as error:
            return error_page(error.status)
        return response


class Space:
    """The record of a patient (by the id of the Patient) for a requester."""

    def __init__(self, subject: Requester, patient: str = "") -> None:
        self.subject, self.id = subject, patient
        self._exchange = _Asking(subject)
        self.patient: Resource = {}

    @property
    def name(self) -> str:
        return name_of(self.patient)

    @property
    def url(self) -> str:
        """Where its pages begin."""
        return f"/dossier/{self.id}"

    @property
    def is_person(self) -> bool:
        """Whether it is the person's own side that asks: the holder or who represents him."""
        return self.subject.is_person

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """An interaction of the API, traced; header names with `_` for `-`. Raises Refused."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        exchange = self._exchange if method == "GET" else self._writing()
        if "Prefer" in sent:  # a request within another has the preferences of that one
            exchange = copy(exchange)
            exchange.prefer = negotiate.prefer(sent["Prefer"])
        answer = inner.answered(exchange, method, path, sent, None if body is None else jsontext.dump(body))
        if answer.status >= 400:
            raise Refused(answer.status, _told(answer))
        return answer

    def create_all(self, resources: Iterable[Resource]) -> None:
        """Stores all of these resources, or none; traced. Raises Refused."""
        entries = [{"resource": each, "request": {"method": "POST", "url": each["resourceType"]}} for each in resources]
        try:
            transaction(self._writing(), {"resourceType": "Bundle", "type": "transaction", "entry": entries})
        except FhirError as error:
            raise Refused(error.status, error.text) from None

    def _writing(self) -> Exchange:
        """For a write, which goes by what is decided now; what is read after it as well."""
        self._exchange.view = services().store.view(self._exchange.access, steady=True)
        made = copy(self._exchange)
        made.view = services().store.view(made.access)
        return made

    def got(self, path: str) -> Answer:
        """What a GET answers; what is hidden or not there, or asked wrongly, ends as the page of that error."""
        try:
            return self.ask("GET", path)
        except Refused as refused:
            abort(404 if refused.status in _HIDDEN else refused.status)

    def read(self, path: str, *params: tuple[str, str]) -> Resource:
        """The resource that `got` is answered."""
        return jsontext.parse_object(self.got(f"{path}?{urlencode(params)}" if params else path).body or b"{}")

    def search(self, type_: str, *params: tuple[str, str], page: str = "") -> Found:
        """A search in this record's compartment; `page`: a sealed link of the same search, which alone counts then."""
        return self.found(f"Patient/{self.id}/{type_}", *params, page=page)

    def found(self, path: str, *params: tuple[str, str], page: str = "") -> Found:
        """As `search`, of a path."""
        asked = ((PARAMETER, page),) if page else (*params, ("_total", "none"))
        return Found(self.read(path, *asked))

    def one(self, type_: str, id_: str) -> Resource:
        """A resource of this record by its id; the page of 404 for what is another's, hidden, or not there."""
        if not ID.fullmatch(id_):
            abort(404)
        found = self.search(type_, ("_id", id_)).resources
        return found[0] if found else abort(404)

    def content(self, id_: str) -> Answer:
        """The bytes of a Binary, traced."""
        request = Request(EnvironBuilder(f"{inner.PREFIX}/Binary/{id_}").get_environ())
        request.view_args = {"type": "Binary", "id": id_}
        exchange = self._exchange.within(request)
        exchange.nested = False
        try:
            answer = read(exchange, "Binary", id_)
        except FhirError as error:
            abort(404 if error.status in _HIDDEN else error.status)
        if answer.event is not None:
            exchange.trace(answer.event)
        return answer


def opened(patient: str, *kinds: str) -> Space:
    """The record of the page, for the kinds of who is logged in that it is for; the pages of login or 404 else."""
    session = browser.needed_session()
    if session.subject.kind not in (kinds or READERS) or not ID.fullmatch(patient):
        abort(404)
    space = Space(emergency.subject(session.subject, patient), patient)
    space.patient = space.read(f"Patient/{patient}")
    if space.is_person and patient != session.subject.patient:
        abort(404)
    dates.of_record(space.patient)
    g.page_context = {"record": space, "record_pages": menu.entries(space), "place": dates.place()}
    return space


def changed(space: Space, resource: Mapping[str, Any], patch: Iterable[Mapping[str, Any]], version: str) -> None:
    """Patches the version that was shown, unless there is another by now. Raises Refused."""
    place = f"{resource['resourceType']}/{resource['id']}"
    space.ask("PATCH", place, list(patch), Content_Type=JSON_PATCH, If_Match=shown(version))


def shown(version: str) -> str:
    """The If-Match for the version that a form was shown with; the page of 400 for what is none."""
    return f'W/"{version}"' if version.isascii() and version.isdecimal() else abort(400)


def access_of(space: Space) -> Access:
    return Access.of(space.subject, services().clock())


def _told(answer: Answer) -> str:
    body = jsontext.parse_object(answer.body or b"{}")
    return " ".join(str(each.get("diagnostics", "")) for each in body.get("issue", ()))
