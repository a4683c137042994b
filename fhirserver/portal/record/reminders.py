"""`/dossier/<patient>/rappels`: vaccinations, screenings and examinations of somebody's age, and what he says of them.

For the person's own side; what is proposed, and which answers there are, the API says (`$reminders`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from flask import request

from fhirserver.espace.reminders import engine, tables
from fhirserver.portal import browser
from fhirserver.portal.language import ENGLISH, N_, _, current
from fhirserver.portal.page import done, page
from fhirserver.portal.parameters import Parameters, value, values
from fhirserver.portal.record import wording
from fhirserver.portal.record.space import PERSONS, Refused, opened

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flask import Blueprint, Response

    from fhirserver.portal.record.space import Space

LONGEST: Final = 64
_AGAIN: Final = "again"
_SILENT: Final = "silent"
_MOST_AHEAD: Final = 12
_KINDS: Final = {
    "vaccination": N_("Vaccination"),
    "screening": N_("Dépistage"),
    "examination": N_("Examen"),
}
_SAID: Final = {
    engine.ELSEWHERE: N_("Fait ailleurs"),
    engine.LATER: N_("Plus tard"),
    engine.UNCONCERNED: N_("Ne me concerne pas"),
}
_DONE: Final = {
    **dict.fromkeys(engine.ANSWERS, N_("Votre réponse est enregistrée.")),
    _AGAIN: N_("Votre choix est annulé."),
    _SILENT: N_("Vous ne serez plus prévenu des rappels."),
}
_NOT_DONE: Final = N_(
    "Votre réponse n’a pas été enregistrée : ce rappel n’est plus proposé, ou il ne vous appartient pas."
)


class Item(NamedTuple):
    """A reminder as a page tells of it; `entered`: a vaccination, which the person may enter in the profile."""

    key: str
    kind: str
    title: str
    state: str
    told: str
    last: str
    obligatory: bool
    source: str
    entered: bool


class Said(NamedTuple):
    """What the person said of a rule, and when."""

    key: str
    title: str
    answer: str
    date: str


def routes(pages: Blueprint) -> None:
    base = "/dossier/<patient>/rappels"
    pages.add_url_rule(base, "reminders", reminders)
    pages.add_url_rule(f"{base}/reponse", "reminders_answer", answer, methods=["POST"])


def reminders(patient: str) -> Response:
    return _page(opened(patient, *PERSONS))


def answer(patient: str) -> Response:
    """What was said of a reminder, or of all notices."""
    space, form = opened(patient, *PERSONS), request.form
    said, key = form.get("reponse", "")[:LONGEST], form.get("rappel", "")[:LONGEST]
    sent = [("answer", said), *([("reminder", key)] if key else [])]
    body = {"resourceType": "Parameters", "parameter": [{"name": name, "valueCode": text} for name, text in sent]}
    try:
        space.ask("POST", f"Patient/{space.id}/$reminders-answer", body)
    except Refused as refused:
        return _page(space, refused.status if refused.status in (400, 403) else 422, {"": _(_NOT_DONE)})
    return browser.redirect(f"{space.url}/rappels?fait={said}")


def upcoming(space: Space, most: int = 2) -> list[Item]:
    """The first of what is proposed now, for other pages; none for a professional."""
    return _open(_asked(space))[:most] if space.is_person else []


def _asked(space: Space) -> Parameters:
    """What `$reminders` answers."""
    found: Parameters = space.read(f"Patient/{space.id}/$reminders")["parameter"]
    return found


def _open(asked: Parameters) -> list[Item]:
    """What is proposed now, what is late first."""
    found = [each for each in values(asked, "reminder") if each["state"] in engine.SHOWN]
    return [_item(each) for each in sorted(found, key=lambda each: -engine.SHOWN.index(each["state"]))]


def _item(told: Mapping[str, Any]) -> Item:
    return Item(
        key=told["key"],
        kind=_(_KINDS[told["kind"]]),
        title=_title(told["key"]),
        state=told["state"],
        told=_words(told),
        last=wording.when(told.get("last")),
        obligatory=told["obligatory"],
        source=f"{told['source']}, {told['version']} – {told['text']}",
        entered=told["kind"] == "vaccination",
    )


def _words(told: Mapping[str, Any]) -> str:
    """When it is to be done."""
    dates = {name: wording.when(told.get(name)) for name in ("opens", "due", "late", "ends")}
    if told["state"] == engine.LATE and dates["due"]:
        return _("Conseillé depuis le %(day)s", day=dates["due"])
    if told["state"] == engine.SOON and dates["due"]:
        return _("À prévoir pour le %(day)s", day=dates["due"])
    if told["state"] == engine.AHEAD:
        return _("À partir du %(day)s", day=dates["opens"])
    until = (dates["late"] or dates["ends"]) if told["kind"] != "screening" else ""
    return _("À faire avant le %(day)s", day=until) if until else _("À faire")


def _title(key: str) -> str:
    rule = tables.rule(key)
    if rule is None:
        return key
    return rule.en if current() == ENGLISH else rule.title


def _page(space: Space, status: int = 200, errors: dict[str, str] | None = None) -> Response:
    asked = _asked(space)
    ahead = [each for each in values(asked, "reminder") if each["state"] == engine.AHEAD]
    return page(
        "record/reminders.html",
        status,
        open=_open(asked),
        ahead=[_item(each) for each in ahead[:_MOST_AHEAD]],
        answers=[
            Said(each["key"], _title(each["key"]), _(_SAID[each["answer"]]), wording.when(each["at"]))
            for each in values(asked, "answer")
        ],
        choices=[(each, _(words)) for each, words in _SAID.items()],
        silent=bool(value(asked, "silent")),
        done=done(_DONE),
        errors=errors or {},
        here="reminders",
    )
