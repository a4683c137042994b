"""The pages of the service, `/operateur/…`: for operators; those of spaces for agents of the health insurance too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fhirserver.portal.operator import overview, spaces, traces

if TYPE_CHECKING:
    from flask import Blueprint


def routes(pages: Blueprint) -> None:
    for module in (overview, spaces, traces):
        module.routes(pages)
