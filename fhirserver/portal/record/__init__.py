"""The pages of a record, for its holder, who represents him, and professionals: `/dossier/<patient>/…`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fhirserver.portal.record import adding, biology, documents

if TYPE_CHECKING:
    from flask import Blueprint


def routes(pages: Blueprint) -> None:
    for module in (adding, biology, documents):
        module.routes(pages)
