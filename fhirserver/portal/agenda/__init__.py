"""The agenda: a person's appointments and the link to them, how one is booked, and what a professional keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fhirserver.portal.agenda import booking, feed, giving, keeping, mine

if TYPE_CHECKING:
    from flask import Blueprint


def routes(pages: Blueprint) -> None:
    for module in (mine, booking, feed, giving, keeping):
        module.routes(pages)
