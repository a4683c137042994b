"""Style and script of the pages: served from here under the hash of what they hold, so that browsers keep them."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Final, NamedTuple

from flask import Response, abort

if TYPE_CHECKING:
    from flask import Blueprint

PREFIX: Final = "/static"
_KINDS: Final = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "png": "image/png",
}


class _Asset(NamedTuple):
    content: bytes
    media: str
    hash: str


def routes(pages: Blueprint) -> None:
    pages.add_url_rule(f"{PREFIX}/<digest>/<name>", "asset", asset)


def url(name: str) -> str:
    """The address of a file of `static/`, in a template: `{{ asset("portal.css") }}`."""
    return f"{PREFIX}/{_all()[name].hash}/{name}"


def asset(digest: str, name: str) -> Response:
    found = _all().get(name)
    if found is None or found.hash != digest:
        abort(404)
    response = Response(found.content, content_type=found.media)
    response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    return response


@cache
def _all() -> dict[str, _Asset]:
    found = {}
    for file in resources.files("fhirserver.portal").joinpath("static").iterdir():
        kind = file.name.rpartition(".")[2]
        if kind in _KINDS:
            content = file.read_bytes()
            found[file.name] = _Asset(content, _KINDS[kind], hashlib.sha256(content).hexdigest()[:16])
    return found
