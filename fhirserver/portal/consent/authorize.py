"""`/oauth/authorize` (RFC 6749, 3.1) and the consent screen: who asks, what, for whose record, for how long.

Nothing is remembered from one time to the next, and nothing is ticked beforehand.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urlencode

from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import AccessDeniedError, InvalidRequestError, InvalidScopeError
from flask import Response, request

from fhirserver.access import Access, tables
from fhirserver.access.scopes import parse
from fhirserver.audit import Event
from fhirserver.auth.server import AuthorizationServer, Consent, Login, Request, scopes
from fhirserver.auth.server.launch import Launch, Launches
from fhirserver.auth.server.metadata import AUTHORIZE
from fhirserver.auth.sessions import LONGEST
from fhirserver.portal import browser, dates
from fhirserver.portal.consent import wording
from fhirserver.portal.consent.records import Record, Records
from fhirserver.portal.language import N_, _
from fhirserver.portal.page import error_page, page
from fhirserver.rest.edge import services

if TYPE_CHECKING:
    from flask import Blueprint

    from fhirserver.auth.server.code import CodeGrant
    from fhirserver.auth.server.request import Response as Answer
    from fhirserver.auth.sessions import Session

DECISION: Final = "/oauth/decision"
SINCE: Final = "login_since"
"""Parameter of our own, in seconds since 1970: the app wants a login later than that."""
STRONG: Final = "eidas2"
"""An app is let in by two factors only."""
_UNKNOWN: Final = N_(
    "Aucun dossier ouvert que vous puissiez consulter ne porte ce matricule INS. Vérifiez le numéro, ou vos droits."
)

_WRONG: Final = N_(
    "L’application qui vous envoie ici a fait une demande que ce serveur n’accepte pas. Prévenez son éditeur : %(told)s"
)


class Asked(NamedTuple):
    """A valid request by an app in somebody's browser. `allowed`: scopes that can be granted; `lines`: as the screen
    tells them; `implied`: those that come with the record; `record`: for whose, if that is known."""

    server: AuthorizationServer
    grant: CodeGrant
    session: Session
    records: Records
    allowed: tuple[str, ...]
    lines: list[wording.Item]
    implied: tuple[str, ...]
    launch: Launch | None
    record: Record | None

    @property
    def needs_record(self) -> bool:
        return any(each == "launch/patient" or each.startswith("patient/") for each in self.allowed)


def routes(pages: Blueprint) -> None:
    pages.add_url_rule(AUTHORIZE, "authorize", authorize, methods=["GET", "POST"])
    pages.add_url_rule(DECISION, "decision", decision, methods=["POST"])


@browser.takes_foreign_posts
def authorize() -> Response:
    """The consent screen, or whatever must come before: the login, the choice of a record."""
    if request.method == "POST":
        return browser.redirect(f"{AUTHORIZE}?{urlencode(list(request.form.items(multi=True)))}")
    return _carried_out(_shown)


def decision() -> Response:
    """What the person chose on it: a record, or what the app may do."""
    return _carried_out(_decided)


def _carried_out(step: Any) -> Response:
    server = services().authorization_server
    asked = Request("GET", list(request.args.items(multi=True)))
    try:
        grant = server.asked(asked)
        try:
            found: Response = step(server, grant)
        except OAuth2Error as error:
            error.redirect_uri, error.state = asked.get("redirect_uri"), asked.get("state")
            raise
    except OAuth2Error as error:
        return _refused(server, asked, error)
    return found


def _shown(server: AuthorizationServer, grant: CodeGrant) -> Response:
    session = _strong_session(grant.request)
    if session is None:
        return _to_login(grant.request)
    if grant.request.get("prompt") == "none":
        raise OAuth2Error("The person is asked each time.", error="consent_required")
    return _screen(_understood(server, grant, session))


def _decided(server: AuthorizationServer, grant: CodeGrant) -> Response:
    session = _strong_session(grant.request)
    if session is None:
        return _to_login(grant.request)
    asked = _understood(server, grant, session)
    choice = request.form.get("decision")
    if choice == "refuser":
        return _denied(asked)
    if choice == "dossier":
        return _chosen(asked)
    if asked.needs_record and (asked.record is None or not _was_shown(asked.records, asked.record)):
        return _screen(asked)
    if choice == "tout":
        return _granted(asked, tuple(each for each in asked.allowed if each not in scopes.CONTEXT))
    ticked = set(request.form.getlist("portee"))
    granted = [line for line in asked.lines if line.key in ticked]
    if choice != "accorder" or not granted:
        errors = {"portees": _("Cochez au moins une autorisation, ou refusez.")}
        return _screen(asked, 422, errors)
    return _granted(asked, tuple(dict.fromkeys(scope for line in granted for scope in line.scopes)))


def _strong_session(asked: Request) -> Session | None:
    """The session, when it is one of two factors and as fresh as the app wants it. Raises OAuth2Error where nobody
    may be asked."""
    session, prompts = browser.current_session(), (asked.get("prompt") or "").split()
    again = {"login", "select_account"} & set(prompts)
    if (
        session is not None
        and session.acr >= STRONG
        and not again
        and session.at >= max(_oldest(asked), _since(session))
    ):
        return session
    if "none" in prompts:
        raise OAuth2Error("Nobody is logged in.", error="login_required")
    return None


def _oldest(asked: Request) -> datetime:
    """The moment before which a login does not count."""
    age, since = asked.get("max_age"), asked.get(SINCE) or ""
    moments = [datetime.fromtimestamp(int(since), UTC)] if since.isdecimal() and len(since) < 12 else []
    if age is not None:
        moments.append(datetime.now(UTC) - timedelta(seconds=int(age[:9])))
    return max(moments, default=datetime.min.replace(tzinfo=UTC))


def _since(session: Session) -> datetime:
    """The moment before which a login for an emergency gives no access any more."""
    if tables.purpose(session.subject.purpose).family != "emergency":
        return session.at
    return datetime.now(UTC) - timedelta(seconds=services().settings.emergency_seconds)


def _to_login(asked: Request) -> Response:
    """To the login and back; who is logged in, but not well enough, logs in again."""
    left = {name: value for name, value in asked.payload.data.items() if name not in ("prompt", "max_age")}
    left[SINCE] = str(int(datetime.now(UTC).timestamp()))
    response = browser.to_login(f"{AUTHORIZE}?{urlencode(left)}", asked.get("redirect_uri") or "")
    if browser.current_session() is not None:
        response.headers["Location"] += "&neuf=1"
    return response


def _understood(server: AuthorizationServer, grant: CodeGrant, session: Session) -> Asked:
    """Raises InvalidScopeError when this person may grant nothing of it, InvalidRequestError for an unknown launch."""
    found, who = services(), session.subject
    allowed = scopes.for_kind((grant.request.scope or "").split(), who.kind)
    allowed = wording.known(allowed, found.definitions.resource_types)
    launch = _launch(grant.request, session)
    implied = tuple(each for each in allowed if each in scopes.CONTEXT and (each != "launch" or launch is not None))
    lines = wording.items(allowed, _lasting(server, who.kind))
    if not lines:
        raise InvalidScopeError("Nothing of what is asked can be granted by this person.")
    records = Records(found, who)
    record = _record(records, launch)
    if launch is not None and launch.patient and record is None:
        raise InvalidRequestError("The launch is about a record that this person may not see.")
    asked = Asked(server, grant, session, records, allowed, lines, implied, launch, record)
    if asked.needs_record and record is None and who.kind != "practitioner":
        raise AccessDeniedError("The person has no record here that is open.")
    return asked


def _launch(asked: Request, session: Session) -> Launch | None:
    value = asked.get("launch")
    if value is None:
        return None
    launch = Launches(services().store).find(value, session.subject)
    if launch is None or "launch" not in (asked.scope or "").split():
        raise InvalidRequestError("The launch is not known, has ended, or is somebody else's.")
    return launch


def _record(records: Records, launch: Launch | None) -> Record | None:
    who = records.subject
    if who.is_person and who.patient:
        own = records.named(who.patient, launch.context if launch else None)
        return own if launch is None or launch.patient in (None, who.patient) else None
    if launch is not None and launch.patient:
        return records.launched(launch)
    chosen = request.form.get("dossier") if request.method == "POST" else None
    return records.opened(chosen) if chosen else None


def _was_shown(records: Records, record: Record) -> bool:
    """Whether the screen named this record: the person may act for another one by now, in another window."""
    shown = records.opened(request.form.get("dossier", ""))
    return shown is not None and shown.id == record.id


def _chosen(asked: Asked) -> Response:
    """The screen after a professional said whose record it is about."""
    record = asked.records.by_ins(request.form.get("ins", "")[:40])
    if record is None:
        return _screen(asked, 422, {"ins": _UNKNOWN})
    return _screen(asked._replace(record=record))


def _screen(asked: Asked, status: int = 200, errors: dict[str, str] | None = None) -> Response:
    party = asked.grant.request.client
    client = party.client if party is not None else None
    choosing = asked.needs_record and asked.record is None
    query = request.query_string.decode("ascii", "replace")
    return page(
        "consent/record.html" if choosing else "consent/consent.html",
        status,
        form_action=[asked.grant.request.get("redirect_uri") or ""],
        action=f"{DECISION}?{query}",
        return_to=f"{AUTHORIZE}?{query}",
        client=client,
        entry=client.catalogue if client is not None else {},
        lines=asked.lines,
        record=asked.record if asked.needs_record else None,
        dossier=asked.records.sealed(asked.record) if asked.record else "",
        subject=asked.session.subject,
        minutes=int(asked.server.lifetime.total_seconds() // 60),
        errors=errors or {},
    )


def _granted(asked: Asked, ticked: tuple[str, ...]) -> Response:
    if asked.launch is not None and not Launches(services().store).use(asked.launch):
        raise InvalidRequestError("The launch was used already.")
    about = [each for each in ticked if (scope := parse(each)) is not None and scope.level == "patient"]
    record = asked.record if about or "launch/patient" in asked.implied or asked.launch else None
    who = asked.session.subject
    if who.kind == "practitioner":
        who = replace(who, patient=record.id if record is not None and about else None)
    who = replace(who, scopes=(*asked.implied, *ticked))
    consent = Consent(who, Login.of(asked.session), _context(asked, record), asked.records.fhir_user())
    party = asked.grant.request.client
    return _sent(asked.server.decided(asked.grant, consent), record, party.client.name if party is not None else "")


def _context(asked: Asked, record: Record | None) -> dict[str, Any]:
    """What the token answer tells of the launch."""
    told = dict(asked.launch.context) if asked.launch is not None else {}
    if record is not None:
        told["patient"] = record.id
    return {"need_patient_banner": True, **told} if "patient" in told else told


def _denied(asked: Asked) -> Response:
    answer = asked.server.decided(asked.grant, None)
    answer.subject = asked.session.subject
    found = services()
    found.trace(Access.of(_of_client(answer, asked.session), found.clock()), Event("grant", 403))
    return browser.redirect(answer.location or "/")


def _sent(answer: Answer, record: Record | None, app: str) -> Response:
    found = services()
    if answer.subject is not None:
        access, patients = Access.of(answer.subject, found.clock()), (record.id,) if record is not None else ()
        found.trace(access, Event("grant", 200, patients=patients))
        if record is not None:
            found.notices.granted(access, record.id, app)
    return browser.redirect(answer.location or "/")


def _of_client(answer: Answer, session: Session) -> Any:
    return replace(session.subject, client=answer.client)


def _refused(server: AuthorizationServer, asked: Request, error: OAuth2Error) -> Response:
    """Back to the app where it may go there; else a page, so that nobody is led to an address that is not the app's."""
    answer = server.refusal(asked, error)
    found, session = services(), browser.current_session()
    now = found.clock()
    access = Access.of(session.subject, now) if session is not None else Access.system("authentication", now)
    found.trace(access, Event("authorize", 403 if isinstance(error, AccessDeniedError) else 400))
    if answer.location is not None:
        return browser.redirect(answer.location)
    return error_page(400, _(_WRONG, told=error.description or error.error), N_("Demande incorrecte"))


def _lasting(server: AuthorizationServer, kind: str) -> dict[str, str]:
    until = dates.moment(datetime.now(UTC) + server.offline(kind))
    hours = int(LONGEST.total_seconds() // 3600)
    return {
        "offline_access": _("Garder cet accès jusqu’au %(until)s, même quand vous n’êtes pas connecté", until=until),
        "online_access": _("Garder cet accès tant que vous restez connecté ici, %(hours)s heures au plus", hours=hours),
    }
