"""`/dossier`: to the record of who is logged in; `/dossier/<patient>`: what is new in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fhirserver.portal import browser
from fhirserver.portal.entering import space_of
from fhirserver.portal.page import page
from fhirserver.portal.record import biology, documents, news, reminders
from fhirserver.portal.record.space import opened

if TYPE_CHECKING:
    from flask import Blueprint, Response

FEW = ("_count", "5")


def routes(pages: Blueprint) -> None:
    pages.add_url_rule("/dossier", "record", own)
    pages.add_url_rule("/dossier/<patient>", "overview", overview)


def own() -> Response:
    """The person's record, a professional's search, an operator's account."""
    subject = browser.needed_session().subject
    if subject.is_person:
        return browser.redirect(space_of(subject) or f"/dossier/{subject.patient}")
    return browser.redirect("/patients" if subject.kind == "practitioner" else "/compte")


def overview(patient: str) -> Response:
    """The latest documents, the latest result of each analysis and, for the person, notifications."""
    space = opened(patient)
    written = space.search(documents.TYPE, ("status", "current"), ("_sort", "-date"), FEW)
    results = space.search(biology.TYPE, biology.LABORATORY, ("_sort", "-date"), FEW)
    latest: dict[str, biology.Row] = {}
    for each in map(biology.row, results.resources):
        latest.setdefault(each.name, each)
    told = space.search(news.TYPE, *news.ASKED, ("_count", "3")) if space.is_person else None
    return page(
        "record/overview.html",
        documents=[documents.summary(each) for each in written.resources],
        rows=list(latest.values()),
        news=[news.told(each) for each in told.resources] if told else [],
        reminders=reminders.upcoming(space),
        here="overview",
    )
