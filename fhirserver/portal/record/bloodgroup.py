"""`/dossier/<patient>/groupe-sanguin`: what laboratories determined, to print; it replaces none of their documents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fhirserver.espace.profile import bloodgroup
from fhirserver.portal.page import page
from fhirserver.portal.record import wording
from fhirserver.portal.record.biology import TYPE
from fhirserver.portal.record.space import opened
from fhirserver.spec.systems import LOINC

if TYPE_CHECKING:
    from flask import Blueprint, Response

_ASKED: Final = (
    ("code", ",".join(f"{LOINC}|{each}" for each in bloodgroup.CODES)),
    ("status", "final,amended,corrected"),
    ("_sort", "-date"),
    ("_count", "100"),
)


def routes(pages: Blueprint) -> None:
    pages.add_url_rule("/dossier/<patient>/groupe-sanguin", "bloodgroup", card)


def card(patient: str) -> Response:
    """The card: group and Rhesus, of how many determinations, when and by whom."""
    space = opened(patient)
    found = bloodgroup.card(space.search(TYPE, *_ASKED).resources)
    rows = [(wording.when(each.at), each.group, each.rhesus, each.who) for each in found.determinations]
    return page("record/bloodgroup.html", card=found, rows=rows, here="profile")
