"""`/dossier/<patient>/journal`: who did what in the record, and when, in plain words (CSP R.1111-43)."""

from __future__ import annotations

import base64
from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from flask import request

from fhirserver.audit.tables import CLIENT, PATTERNS, RPPS
from fhirserver.portal.consent.wording import types
from fhirserver.portal.federation.wording import PROFESSIONS, profession
from fhirserver.portal.language import N_, _, words
from fhirserver.portal.page import page
from fhirserver.portal.record import period, wording
from fhirserver.portal.record.space import PAGE, PERSONS, opened
from fhirserver.tables import rows as rows_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from flask import Blueprint, Response

    from fhirserver.access import Requester

TYPE: Final = "AuditEvent"
COUNT: Final = "30"
_PROVIDER: Final = "PROV"
_ACTING: Final = "AGNT"
_PURPOSES: Final = {
    "BTG": N_("en urgence (bris de glace)"),
    "ETREAT": N_("pour la régulation médicale (SAMU-Centre 15)"),
}
_ABOUT_ITSELF: Final = frozenset({"AuditEvent", "Patient"})
"""Types that are named only where nothing else is."""


class Line(NamedTuple):
    """One event: `who` with `details` (profession, numbers), `did` of `what`, `why` where that is told."""

    when: str
    who: str
    details: str
    did: str
    what: str
    why: str
    refused: bool
    through: str


def routes(pages: Blueprint) -> None:
    pages.add_url_rule("/dossier/<patient>/journal", "journal", journal)


def journal(patient: str) -> Response:
    """Newest first, by period; one's own acts on demand."""
    space, form = opened(patient, *PERSONS), request.args
    asked, mine = period.read(form, instants=True), form.get("miens") == "oui"
    params = [("_sort", "-date"), ("_count", COUNT), *asked.params]
    if not mine:
        params.append(("altid:not", space.subject.id))
    found = space.search(TYPE, *params, page=form.get(PAGE, ""))
    return page(
        "record/journal.html",
        asked.status,
        found=found,
        lines=[line(each, space.subject) for each in found.resources],
        typed=asked.typed,
        errors=asked.errors,
        mine=mine,
        here="journal",
    )


def line(event: Mapping[str, Any], reader: Requester) -> Line:
    """An AuditEvent in words."""
    agents = list(event.get("agent", ()))
    user = next((each for each in agents if each.get("requestor")), agents[0] if agents else {})
    code = next((str(each.get("code")) for each in event.get("subtype", ())), "")
    verb = words(_verbs()[code]) if code in _verbs() else _("a agi") if code else _("est intervenu")
    needs = code in PATTERNS
    purposes = [each for one in user.get("purposeOfUse", ()) for each in one.get("coding", ())]
    reason = next((str(each["text"]) for each in user.get("purposeOfUse", ()) if each.get("text")), "")
    why = next((_(_PURPOSES[each["code"]]) for each in purposes if each.get("code") in _PURPOSES), "")
    return Line(
        wording.when(event.get("recorded"), time=True),
        _who(user, reader, agents),
        ", ".join(_details(user, agents)),
        verb,
        _what(event) if needs else "",
        _("%(why)s. Motif : %(reason)s", why=why, reason=reason) if why and reason else why,
        str(event.get("outcome")) not in ("0", "None"),
        _client(agents),
    )


def _who(user: Mapping[str, Any], reader: Requester, agents: Iterable[Mapping[str, Any]]) -> str:
    alt = str(user.get("altId", ""))
    if alt == reader.id:
        return _("Vous")
    if name := user.get("name"):
        return str(name)
    if alt.startswith(("patient/", "Patient/")):
        return _("La personne elle-même")
    if alt.startswith("RelatedPerson/"):
        return _("Un représentant")
    if user.get("role"):
        return _("Un professionnel de santé")
    if any(_is(each, _PROVIDER) for each in agents):
        return _("Un établissement")
    return wording.actor(user.get("who") or {}) or _("Le service")


def _details(user: Mapping[str, Any], agents: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    codes = [str(each.get("code")) for one in user.get("role", ()) for each in one.get("coding", ())]
    yield from (profession(f"G15_{each}").lower() for each in codes if f"G15_{each}" in PROFESSIONS)
    identifier = (user.get("who") or {}).get("identifier") or {}
    if identifier.get("system") == RPPS:
        yield f"RPPS {identifier['value']}"
    for each in agents:
        number = ((each.get("who") or {}).get("identifier") or {}).get("value")
        if _is(each, _PROVIDER) and number:
            yield _("établissement FINESS %(number)s", number=number)
        if _is(each, _ACTING):
            yield _("par %(name)s", name=each.get("name") or _("un membre de son équipe"))


def _client(agents: Iterable[Mapping[str, Any]]) -> str:
    """The application that it was done with, where there was one."""
    found = (((each.get("who") or {}).get("identifier") or {}) for each in agents if not each.get("requestor"))
    return next((str(each["value"]) for each in found if each.get("system") == CLIENT), "")


def _what(event: Mapping[str, Any]) -> str:
    """The kinds of data concerned, once each."""
    named = dict.fromkeys(_types(event))
    told = [each for each in named if each not in _ABOUT_ITSELF] or list(named)
    return ", ".join(types()[each][0] if each in types() else each for each in told) or _("le dossier")


def _types(event: Mapping[str, Any]) -> Iterator[str]:
    for each in event.get("entity", ()):
        reference = str((each.get("what") or {}).get("reference", ""))
        if reference:
            yield reference.partition("/")[0]
        if query := each.get("query"):
            path = base64.b64decode(query).decode("utf-8", "replace").partition("?")[0].split("/")
            yield from (part for part in path[-1:] if part[:1].isupper())


def _is(agent: Mapping[str, Any], code: str) -> bool:
    return any(each.get("code") == code for each in (agent.get("type") or {}).get("coding", ()))


@cache
def _verbs() -> dict[str, dict[str, str]]:
    return {row["code"]: row for row in rows_of("fhirserver.portal.record", "events.csv")}
