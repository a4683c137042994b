"""The catalogue for people, the apps that somebody let in, and the review by operators."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fhirserver.portal.catalogue import listing, mine, review

if TYPE_CHECKING:
    from flask import Blueprint


def routes(pages: Blueprint) -> None:
    for each in (listing, mine, review):
        each.routes(pages)


__all__ = ["routes"]
