"""`/dossier/<patient>/notifications`: what the person was told, newest first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from flask import request

from fhirserver.portal.page import page
from fhirserver.portal.record import wording
from fhirserver.portal.record.space import PAGE, PERSONS, opened

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flask import Blueprint, Response

TYPE: Final = "Communication"
ASKED: Final = (("category", "notification"), ("_sort", "-sent"))
COUNT: Final = "20"


def routes(pages: Blueprint) -> None:
    pages.add_url_rule("/dossier/<patient>/notifications", "news", news)


def news(patient: str) -> Response:
    space = opened(patient, *PERSONS)
    found = space.search(TYPE, *ASKED, ("_count", COUNT), page=request.args.get(PAGE, ""))
    return page("record/news.html", found=found, rows=[told(each) for each in found.resources], here="news")


def told(found: Mapping[str, Any]) -> dict[str, Any]:
    """A notification in a list."""
    texts = [str(each["contentString"]) for each in found.get("payload", ()) if each.get("contentString")]
    when = wording.when(found.get("sent"), time=True)
    return {"when": when, "texts": texts, "urgent": found.get("priority") == "urgent"}
