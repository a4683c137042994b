"""`/`: what this is, and where to go on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fhirserver.portal import demo
from fhirserver.portal.page import page

if TYPE_CHECKING:
    from flask import Blueprint, Response


def routes(pages: Blueprint) -> None:
    pages.add_url_rule("/", "home", home)


def home() -> Response:
    return page("home.html", roles=demo.roles())
