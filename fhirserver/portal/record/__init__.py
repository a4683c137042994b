"""The pages of a record, for its holder, who represents him, and professionals: `/dossier/<patient>/…`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fhirserver.portal.record import (
    adding,
    biology,
    bloodgroup,
    documents,
    entries,
    finding,
    imaging,
    journal,
    measures,
    news,
    overview,
    profile,
    reminders,
    sharing,
)

if TYPE_CHECKING:
    from flask import Blueprint


def routes(pages: Blueprint) -> None:
    for module in (
        overview,
        finding,
        profile,
        entries,
        measures,
        bloodgroup,
        adding,
        documents,
        biology,
        imaging,
        reminders,
        sharing,
        journal,
        news,
    ):
        module.routes(pages)
