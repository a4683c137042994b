"""Logins by Pro Santé Connect and FranceConnect: buttons, what comes back, the choice of a situation, the link."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fhirserver.portal.farewell import TITLES
from fhirserver.portal.federation import linking, returning, situations
from fhirserver.rest.edge import services

if TYPE_CHECKING:
    from flask import Blueprint


def routes(pages: Blueprint) -> None:
    returning.routes(pages)
    situations.routes(pages)
    linking.routes(pages)
    pages.context_processor(_context)


def _context() -> dict[str, object]:
    """`providers`: name and title of those that may be logged in with."""
    return {"providers": [(name, TITLES[name]) for name in services().providers]}


__all__ = ["routes"]
