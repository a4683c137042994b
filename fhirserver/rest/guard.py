"""What holds for every answer, whoever asks: a request id, headers for browsers, a bound for who sends no token.

The request id is the client's own `X-Request-Id` when it is plain, else a new one; it goes back to the client, into the
trace and into the messages about faults, so that the three can be put together.
"""

from __future__ import annotations

import base64
import hashlib
import re
import uuid
from typing import TYPE_CHECKING, Final

from flask import Response, g, has_request_context, request

from fhirserver.rest.address import address
from fhirserver.rest.oauth import bearer

if TYPE_CHECKING:
    from flask import Flask

    from fhirserver.rest.services import Services

HEADER: Final = "X-Request-Id"
HSTS: Final = "max-age=31536000; includeSubDomains"
POLICY: Final = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
"""Of answers that are no pages: nothing in them is ever to be shown as one."""
UNBOUNDED: Final = ("/health", "/metrics")
DOCS: Final = "api-docs.openapi_swagger_ui"
_INLINE: Final = re.compile(r"<(script|style)>(.*?)</", re.DOTALL)
_PLAIN: Final = re.compile(r"[A-Za-z0-9._-]{8,64}")


def register(app: Flask, services: Services) -> None:
    """Puts the guard around all that the app answers."""
    secure = services.base.startswith("https://")

    def begin() -> None:
        given = request.headers.get(HEADER, "")
        g.request_id = given if _PLAIN.fullmatch(given) else uuid.uuid4().hex
        bears = "Authorization" in request.headers and request.path.startswith(bearer.PATHS)
        if not bears and request.path not in UNBOUNDED:
            services.rates.of_address(address(request, services.settings.trusted_proxies))

    def end(response: Response) -> Response:
        response.headers[HEADER] = request_id()
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        response.headers.setdefault("Referrer-Policy", "no-referrer")
        policy = _of_page(response.get_data(as_text=True)) if request.endpoint == DOCS else POLICY
        response.headers.setdefault("Content-Security-Policy", policy)
        if secure:
            response.headers.setdefault("Strict-Transport-Security", HSTS)
        return response

    app.before_request(begin)
    app.after_request(end)


def request_id() -> str:
    """The id of the request at hand; a new one where there is none."""
    if not has_request_context():
        return uuid.uuid4().hex
    found: str = g.get("request_id") or uuid.uuid4().hex
    return found


def _of_page(page: str) -> str:
    """The policy of the page of the API: its own files, and what stands in it, by digest."""
    found: dict[str, str] = {"script": "", "style": ""}
    for kind, text in _INLINE.findall(page):
        found[kind] += f" 'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
    return (
        f"default-src 'none'; script-src 'self'{found['script']}; style-src 'self'{found['style']}; "
        "img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    )
