"""`/compte/espace`: the state of the space, who represents the person, the copy, closing, erasure and reopening.

What may be done the API says (`$espace`); a grave act takes a login of the last minutes, both factors, and a tick.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs, urlsplit

from flask import Response, abort, request

from fhirserver import jsontext
from fhirserver.espace.tables import NONE, transitions
from fhirserver.portal import browser, parameters, representing
from fhirserver.portal.account import RECENT
from fhirserver.portal.language import N_, _
from fhirserver.portal.page import page
from fhirserver.portal.record.space import Refused, Space
from fhirserver.portal.record.wording import when
from fhirserver.rest.jobs.asking import FILE, STATUS

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask import Blueprint

    from fhirserver.rest.answer import Answer

PATH: Final = "/compte/espace"
STATES: Final = {
    "open": N_("ouvert"),
    "announced": N_("annoncé : il n’est pas encore ouvert"),
    "opposed": N_("non ouvert : quelqu’un s’y est opposé"),
    "suspended": N_("suspendu : personne n’y accède"),
    "closed": N_("clôturé"),
    "archived": N_("clôturé et archivé"),
    "deceased": N_("clôturé"),
}
GRAVE: Final = frozenset({"close", "request-erasure"})
"""What takes a recent login and a tick."""
ACTS: Final = {
    "cloture": "close",
    "effacement": "request-erasure",
    "reouverture": "reopen",
    "objection": "object",
    "activation": "activate",
}
"""By the last part of the path: the event."""
_COMES: Final = {
    "open": N_("il s’ouvrira"),
    "lapse": N_("il sera clôturé, sauf si vous vous y opposez"),
    "expire": N_("tout ce qu’il contient sera effacé"),
    "erase": N_("tout ce qu’il contient sera effacé, comme demandé"),
    "come-of-age": N_("majorité : les parents n’y accéderont plus"),
}
_DONE: Final = {
    "close": N_("L’espace est clôturé."),
    "request-erasure": N_("L’effacement est demandé. Rouvrez l’espace avant la date indiquée pour y renoncer."),
    "reopen": N_("L’espace est rouvert, avec tout ce qu’il contenait."),
    "object": N_("Votre opposition est enregistrée : l’espace ne sera pas clôturé de lui-même."),
    "activate": N_("L’espace est ouvert."),
}
_JOB: Final = re.compile(r"[\w-]{1,64}", re.ASCII)
_TICK: Final = N_("Cochez la case pour confirmer.")
_NOT_NOW: Final = N_("Ce n’est pas possible dans l’état où est l’espace : il a peut-être changé entre-temps.")
_NOT_YOURS: Final = N_("La mesure de protection laisse cette décision à la personne elle-même.")
_MANY: Final = N_("Des copies sont déjà en préparation : attendez qu’elles soient prêtes.")


def routes(pages: Blueprint) -> None:
    pages.add_url_rule(PATH, "espace", espace)
    for name, event in ACTS.items():
        pages.add_url_rule(f"{PATH}/{name}", f"espace_{name}", _acting(event), methods=["POST"])
    pages.add_url_rule(f"{PATH}/copie", "espace_copy", copy, methods=["POST"])
    pages.add_url_rule(f"{PATH}/copie/<job>", "espace_copy_status", copy_status)
    pages.add_url_rule(f"{PATH}/copie/<job>/dossier.zip", "espace_copy_file", copy_file)


def espace() -> Response:
    done = _DONE.get(ACTS.get(request.args.get("fait", ""), ""))
    return _page(_own(), 200, done=_(done) if done else "")


def copy() -> Response:
    """Has the copy of all that the person sees made (GDPR, article 20)."""
    space = _own()
    try:
        answer = space.ask("POST", f"Patient/{space.id}/$portability", Prefer="respond-async")
    except Refused as refused:
        return _page(space, refused.status, errors={"": _(_MANY) if refused.status == 429 else _(_NOT_NOW)})
    job = parse_qs(urlsplit(answer.headers["Content-Location"]).query)["id"][0]
    return browser.redirect(f"{PATH}/copie/{job}")


def copy_status(job: str) -> Response:
    """How far the copy is, and the link to it."""
    answer = _asked(_own(), STATUS, job)
    response = page("espace/copy.html", job=job, ready=answer.status == 200, progress=_percent(answer))
    if answer.status != 200:
        response.headers["Refresh"] = "5"
    return response


def copy_file(job: str) -> Response:
    """The archive, as the API gives it."""
    space = _own()
    told = jsontext.parse_object(b"".join(_asked(space, STATUS, job).parts or ()) or b"{}")
    urls = [str(each["url"]) for each in told.get("output", ()) if each.get("type") == "archive"]
    if not urls:
        abort(404)
    answer = space.got(f"{FILE}?{urlsplit(urls[0]).query}")
    return Response(answer.parts, 200, headers=dict(answer.headers))


def _acting(event: str) -> Callable[[], Response]:
    def act() -> Response:
        space = _own()
        if event in GRAVE:
            _recent()
            if request.form.get("confirmation") != "oui":
                return _page(space, 422, errors={f"confirmation-{event}": _(_TICK)})
        try:
            space.ask("POST", f"Patient/{space.id}/$espace-{event}")
        except Refused as refused:
            if refused.status not in (403, 409):
                abort(refused.status)
            text = _NOT_YOURS if refused.status == 403 else _NOT_NOW
            return _page(space, refused.status, errors={"": _(text)})
        name = next(each for each, other in ACTS.items() if other == event)
        return browser.redirect(f"{PATH}?fait={name}")

    return act


def _page(space: Space, status: int, errors: dict[str, str] | None = None, done: str = "") -> Response:
    told = space.read(f"Patient/{space.id}/$espace")["parameter"]
    state = str(parameters.value(told, "state"))
    return page(
        "espace/espace.html",
        status,
        errors=errors or {},
        done=done,
        state=_(STATES.get("open" if state == NONE else state, state)),
        since=when(parameters.value(told, "since"), time=True),
        comes=[_comes(each["event"], each["at"]) for each in parameters.values(told, "due")],
        erased_by=when(parameters.value(told, "erased-by")),
        possible=_possible(state, space.subject.kind),
        represented=representing.of(space),
    )


def _possible(state: str, kind: str) -> frozenset[str]:
    """The events that the page offers."""
    role = "holder" if kind == "patient" else "representative"
    here = {event for (event, origin), each in transitions().items() if origin == state and role in each.who}
    return frozenset(here & set(ACTS.values()) - ({"activate"} if state == NONE else set()))


def _comes(event: str, at: str) -> tuple[str, str]:
    """What time will bring, and when."""
    return _(_COMES.get(event, event)), when(at, time=True)


def _own() -> Space:
    """The space of who is logged in, or of whom he represents, whatever its state."""
    session = browser.needed_session()
    if not session.subject.is_person or session.subject.patient is None:
        abort(404)
    return Space(session.subject, session.subject.patient)


def _recent() -> None:
    """Raises LoginNeeded unless the login, with its two factors, is a short while ago."""
    if datetime.now(UTC) - browser.needed_session().at > RECENT:
        raise browser.LoginNeeded(PATH, again=True)


def _asked(space: Space, what: str, id_: str) -> Answer:
    if not _JOB.fullmatch(id_):
        abort(404)
    return space.got(f"{what}?id={id_}")


def _percent(answer: Answer) -> str:
    return answer.headers.get("X-Progress", "")
