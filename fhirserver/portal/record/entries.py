"""`/dossier/<patient>/profil/<section>`: the person enters an allergy, a habit …, changes it, deletes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from flask import Response, abort, request

from fhirserver.espace.profile import entries, tables
from fhirserver.portal import browser
from fhirserver.portal.page import page
from fhirserver.portal.record import own
from fhirserver.portal.record.space import PERSONS, Refused, opened

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flask import Blueprint

    from fhirserver.espace.profile.tables import Field, Section
    from fhirserver.portal.record.space import Resource, Space


class Shown(NamedTuple):
    """A field of a form; `options`: name and label of each choice."""

    name: str
    kind: str
    label: str
    required: bool
    options: list[tuple[str, str]]


def routes(pages: Blueprint) -> None:
    base = "/dossier/<patient>/profil/<section>"
    pages.add_url_rule(f"{base}/ajouter", "entry_add", add, methods=["GET", "POST"])
    pages.add_url_rule(f"{base}/<id>", "entry_change", change, methods=["GET", "POST"])
    pages.add_url_rule(f"{base}/<id>/supprimer", "entry_delete", delete, methods=["POST"])


def add(patient: str, section: str) -> Response:
    """The form of a new entry, and what was sent by it."""
    space, known = opened(patient, *PERSONS), _section(section)
    if request.method == "GET":
        return _page(space, known, 200, {}, {})
    values = _typed(known)
    built = entries.built(known, values, _whose(space))
    errors = {name: own.wrong(key) for name, key in built.errors.items()}
    status = 422
    if not errors:
        try:
            own.store(space, built.resources)
        except Refused as refused:
            status, errors[""] = own.refusal(refused)
    return _page(space, known, status, values, errors) if errors else _done(space, known, "ajoute")


def change(patient: str, section: str, id: str) -> Response:
    """The form of an entry of one's own, and what was sent by it."""
    space, known = opened(patient, *PERSONS), _section(section)
    found = _own(space, known, id)
    fields = [each for each in known.fields if known.name != "habitudes" or each.name in _habit(found)]
    if request.method == "GET":
        dates = {each.name for each in fields if each.kind == "date"}
        shown = entries.shown(known, found).items()
        values = {name: own.day(text) if name in dates else text for name, text in shown}
        return _page(space, known, 200, values, {}, found, fields)
    values = _typed(known._replace(fields=tuple(fields)))
    built = entries.built(known, values, _whose(space))
    errors = {name: own.wrong(key) for name, key in built.errors.items()}
    status = 422
    if not errors:
        try:
            own.replace(space, entries.changed(found, built.resources[0]))
        except Refused as refused:
            status, errors[""] = own.refusal(refused)
    return _page(space, known, status, values, errors, found, fields) if errors else _done(space, known, "change")


def delete(patient: str, section: str, id: str) -> Response:
    """Takes away an entry that was made by mistake."""
    space, known = opened(patient, *PERSONS), _section(section)
    found = _own(space, known, id)
    try:
        own.remove(space, found)
    except Refused as refused:
        status, told = own.refusal(refused)
        return _page(space, known, status, entries.shown(known, found), {"": told}, found)
    return _done(space, known, "supprime")


def _section(name: str) -> Section:
    return tables.sections().get(name) or abort(404)


def _own(space: Space, section: Section, id: str) -> Resource:
    """An entry of that section that who is logged in may change; the page of 404 else."""
    found = space.one(section.type, id)
    return found if entries.section_of(found) == section and own.is_mine(space, found) else abort(404)


def _habit(found: Resource) -> tuple[str, ...]:
    habit = entries.habit_of(found)
    return (habit.name,) if habit else ()


def _whose(space: Space) -> entries.Whose:
    return entries.Whose(f"Patient/{space.id}", own.person(space), own.today(space))


def _typed(section: Section) -> dict[str, str]:
    return {each.name: request.form.get(each.name, "").strip() for each in section.fields}


def _done(space: Space, section: Section, what: str) -> Response:
    return browser.redirect(f"{space.url}/profil?fait={what}#{section.name}")


def _page(
    space: Space,
    section: Section,
    status: int,
    values: Mapping[str, str],
    errors: Mapping[str, str],
    found: Resource | None = None,
    fields: list[Field] | None = None,
) -> Response:
    shown = section.fields if fields is None else fields
    return page(
        "record/profile-form.html",
        status,
        section=section.name,
        title=own.name(section.names),
        fields=[Shown(each.name, each.kind, own.name(each.names), each.required, _options(each)) for each in shown],
        typed=values,
        errors=errors,
        entry=found,
        sending=request.form.get("envoi") or own.new_sending(),
        here="profile",
    )


def _options(field: Field) -> list[tuple[str, str]]:
    return [(each.name, own.name(each.names)) for each in tables.choices(field.options).values()]
