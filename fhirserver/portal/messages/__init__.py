"""Messages: those of a record, for the person, and a professional's own over all records."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fhirserver.portal.messages import pages as pages_
from fhirserver.portal.messages import writing

if TYPE_CHECKING:
    from flask import Blueprint


def routes(pages: Blueprint) -> None:
    pages_.routes(pages)
    writing.routes(pages)
