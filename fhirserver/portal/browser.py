"""The browser that a page answers: its cookies, its session, and the token that its forms must bring back.

Where the server is reached by https the cookies are `__Host-…; Secure`; a development server on plain http has them
without. A form is taken only with the token of its session, or, before the login, of the cookie `visit`
(OWASP ASVS 4.2.2).
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import TYPE_CHECKING, Any, Final, TypeVar

from flask import Response, abort, current_app, g, request

from fhirserver.portal import sealed
from fhirserver.rest.edge import services

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask import Blueprint

    from fhirserver.access import Requester
    from fhirserver.auth.sessions import Session

SESSION: Final = "session"
VISIT: Final = "visit"
CSRF: Final = "csrf"
"""Name of the field of each form."""
UNKNOWN_DEVICE: Final = "Appareil inconnu"
MOST_FORM_BYTES: Final = 1 << 16
_OPEN: Final = "takes_foreign_posts"
_MOST: Final = "takes_uploads"
_PROGRAMS: Final = (("Edg", "Edge"), ("Firefox", "Firefox"), ("Chrome", "Chrome"), ("Safari", "Safari"))
_SYSTEMS: Final = (
    *((each, each) for each in ("Android", "iPhone", "iPad", "Windows")),
    ("Mac OS", "macOS"),
    ("Linux", "Linux"),
)

View = TypeVar("View", bound="Callable[..., Any]")


class LoginNeeded(Exception):
    """The page is for who is logged in; `path` (with its query) is where to go on afterwards. `again`: it must be a new
    login, though there is a session."""

    def __init__(self, path: str, *, again: bool = False) -> None:
        super().__init__("a login is needed")
        self.path, self.again = path, again


def prepare(pages: Blueprint) -> None:
    pages.before_request(_checked)
    pages.after_request(_with_cookies)


def takes_foreign_posts(view: View) -> View:
    """Marks a view whose POST may come from other sites, so that it is not asked for the form's token."""
    setattr(view, _OPEN, True)
    return view


def takes_uploads(most: int) -> Callable[[View], View]:
    """Marks a view whose form brings a file of that many bytes at most, besides what forms hold."""

    def marked(view: View) -> View:
        setattr(view, _MOST, most)
        return view

    return marked


def current_session() -> Session | None:
    """The session of the browser that asks, if somebody is logged in there."""
    if "portal_session" not in g:
        session = services().sessions.find(cookie(SESSION))
        g.portal_session = session if session is not None and _still_may(session) else None
    found: Session | None = g.portal_session
    return found


def needed_session() -> Session:
    """The session; raises LoginNeeded, which leads to the login and back here."""
    found = current_session()
    if found is None:
        raise LoginNeeded(request.full_path.rstrip("?") if request.method == "GET" else "/")
    return found


def open_session(
    response: Response, subject: Requester, account: str, amr: tuple[str, ...], acr: str, *, device: str = ""
) -> Response:
    """Logs in: a new session in the place of any that the browser had."""
    sessions = services().sessions
    sessions.close(cookie(SESSION))
    secret = sessions.open(subject, account, amr, acr, device or device_name())
    g.portal_session = sessions.find(secret)
    return set_cookie(response, SESSION, secret)


def close_session(response: Response) -> Response:
    """Logs out."""
    services().sessions.close(cookie(SESSION))
    g.portal_session = None
    return set_cookie(response, SESSION, "")


def to_login(path: str, *origins: str, again: bool = False) -> Response:
    """To the login, and back to a path of ours afterwards; `origins`: where that path may redirect on to.

    `again`: though somebody is logged in.
    """
    onward = path if sealed.is_path(path) else "/compte"  # an address may hold what no path of ours has
    return redirect(f"/connexion?suite={sealed.seal(onward, *origins)}{'&neuf=1' if again else ''}")


def redirect(location: str) -> Response:
    """303: to be fetched by GET, whatever was sent."""
    return Response(status=303, headers={"Location": location})


def cookie(name: str) -> str | None:
    return request.cookies.get(_named(name))


def set_cookie(response: Response, name: str, value: str, seconds: int | None = None) -> Response:
    """Sets a cookie of this site, until the browser is closed unless `seconds` are said; no value takes it away."""
    response.set_cookie(
        _named(name),
        value,
        max_age=0 if not value else seconds,
        path="/",
        secure=is_secure(),
        httponly=True,
        samesite="Lax",
    )
    return response


def is_secure() -> bool:
    """Whether the server is reached by https."""
    return services().base.startswith("https:")


def device_name() -> str:
    """What the browser is, in two words, as far as it says."""
    agent = request.headers.get("User-Agent", "")
    program = next((name for word, name in _PROGRAMS if word in agent), "")
    system = next((name for word, name in _SYSTEMS if word in agent), "")
    return " sur ".join(each for each in (program, system) if each) or UNKNOWN_DEVICE


def csrf_token() -> str:
    """What each form of the page being answered carries in its field `csrf`."""
    session = current_session()
    return session.csrf if session is not None else _visit_token(_visit())


def _still_may(session: Session) -> bool:
    """Whether a representative still is one; whatever else somebody may is for the access rules."""
    room = services().accounts
    account = room.accounts.find(session.account) if session.subject.kind == "representative" else None
    if account is None:
        return True
    held = [(each.requester.id, each.requester.patient) for each in room.people.subjects(account)]
    return (session.subject.id, session.subject.patient) in held


def _checked() -> None:
    request.max_content_length = MOST_FORM_BYTES + int(_marked(_MOST, 0))
    if request.method == "HEAD":
        request.method = "GET"  # what a form does, it does by POST alone
    if request.method == "GET" or _is_open():
        return
    session = current_session()
    visit = cookie(VISIT)
    expected = session.csrf if session is not None else _visit_token(visit) if visit else None
    sent = request.form.get(CSRF, "")
    if expected is None or not hmac.compare_digest(sent.encode(), expected.encode()) or _is_foreign():
        abort(403)


def _is_open() -> bool:
    return bool(_marked(_OPEN, False))


def _marked(mark: str, default: Any) -> Any:
    return getattr(current_app.view_functions.get(request.endpoint or ""), mark, default)


def _is_foreign() -> bool:
    """Whether the browser says that another site sent the form (Fetch Metadata)."""
    return request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none")


def _visit() -> str:
    found = g.get("portal_visit") or cookie(VISIT)
    if not found:
        found = secrets.token_urlsafe(24)
        g.portal_visit = found
    return str(found)


def _visit_token(visit: str) -> str:
    key = services().derive("csrf")
    return hmac.new(key, visit.encode("utf-8", "surrogateescape"), hashlib.sha256).hexdigest()


def _with_cookies(response: Response) -> Response:
    if "portal_visit" in g:
        set_cookie(response, VISIT, g.portal_visit)
    return response


def _named(name: str) -> str:
    return f"__Host-{name}" if is_secure() else name
