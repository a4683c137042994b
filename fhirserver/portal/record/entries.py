"""`/dossier/<patient>/profil/<section>`: the person enters an allergy, a habit …, changes it, deletes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Response, abort, request

from fhirserver.espace.profile import entries, tables
from fhirserver.portal.record import form as form_
from fhirserver.portal.record import own
from fhirserver.portal.record.form import Form
from fhirserver.portal.record.space import PERSONS, opened

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flask import Blueprint

    from fhirserver.espace.profile.tables import Field, Section
    from fhirserver.portal.record.space import Resource, Space


def routes(pages: Blueprint) -> None:
    base = "/dossier/<patient>/profil/<section>"
    pages.add_url_rule(f"{base}/ajouter", "entry_add", add, methods=["GET", "POST"])
    pages.add_url_rule(f"{base}/<id>", "entry_change", change, methods=["GET", "POST"])
    pages.add_url_rule(f"{base}/<id>/supprimer", "entry_delete", delete, methods=["POST"])


def add(patient: str, section: str) -> Response:
    """The form of a new entry, and what was sent by it."""
    space, known = opened(patient, *PERSONS), _section(section)
    form = _form(space, known)
    if request.method == "GET":
        return form_.shown(form, {})
    built = entries.built(known, form.typed(), _whose(space))
    return form_.carried_out(form, form.typed(), _wrong(built), lambda: own.store(space, built.resources), "ajoute")


def change(patient: str, section: str, id: str) -> Response:
    """The form of an entry of one's own, and what was sent by it."""
    space, known = opened(patient, *PERSONS), _section(section)
    found = _own(space, known, id)
    form = _form(space, known, found)
    if request.method == "GET":
        return form_.shown(form, _values(known, found))
    built = entries.built(known, form.typed(), _whose(space))

    def store() -> None:
        own.replace(space, entries.changed(found, built.resources[0]))

    return form_.carried_out(form, form.typed(), _wrong(built), store, "change")


def delete(patient: str, section: str, id: str) -> Response:
    """Takes away an entry that was made by mistake."""
    space, known = opened(patient, *PERSONS), _section(section)
    found = _own(space, known, id)
    form = _form(space, known, found)
    return form_.carried_out(form, _values(known, found), {}, lambda: own.remove(space, found), "supprime")


def _section(name: str) -> Section:
    return tables.sections().get(name) or abort(404)


def _own(space: Space, section: Section, id: str) -> Resource:
    """An entry of that section that who is logged in may change; the page of 404 else."""
    found = space.one(section.type, id)
    return found if entries.section_of(found) == section and own.is_mine(space, found) else abort(404)


def _whose(space: Space) -> entries.Whose:
    return entries.Whose(f"Patient/{space.id}", own.person(space), own.today(space))


def _values(section: Section, found: Resource) -> dict[str, str]:
    """What an entry says, as it is typed."""
    dates = {each.name for each in section.fields if each.kind == "date"}
    return {name: own.day(text) if name in dates else text for name, text in entries.shown(section, found).items()}


def _wrong(built: entries.Built) -> Mapping[str, str]:
    return {name: own.wrong(key) for name, key in built.errors.items()}


def _form(space: Space, section: Section, found: Resource | None = None) -> Form:
    """The form of a section; of a habit that is changed, its own field alone."""
    habit = entries.habit_of(found) if found and section.name == "habitudes" else None
    fields = [each for each in section.fields if habit is None or each.name == habit.name]
    back = f"{space.url}/profil"
    return Form(
        own.name(section.names),
        f"{back}/{section.name}",
        back,
        [form_.Field(each.name, each.kind, own.name(each.names), each.required, _options(each)) for each in fields],
        "profile",
        found,
        anchor=f"#{section.name}",
        ends=True,
    )


def _options(field: Field) -> list[tuple[str, str]]:
    return [(each.name, own.name(each.names)) for each in tables.choices(field.options).values()]
