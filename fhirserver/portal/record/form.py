"""The form of something that a person enters: shown, carried out or shown again with what is wrong, and left."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple

from flask import Response, request

from fhirserver.portal import browser
from fhirserver.portal.page import page
from fhirserver.portal.record import own
from fhirserver.portal.record.space import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from fhirserver.espace.profile.typed import Read
    from fhirserver.portal.record.space import Resource


class Field(NamedTuple):
    """`kind`: `text`, `number`, `date` (as exact as known), `day`, `time`, `check`, or `choice` of `options`, which are
    name and label."""

    name: str
    kind: str
    label: str
    required: bool = True
    options: Sequence[tuple[str, str]] = ()


class Form(NamedTuple):
    """`url`: below it an entry is added (`/ajouter`) or changed (`/<id>`); `back`, with `anchor`: the page that leaving
    the form leads to; `found`: the entry that is changed; `ends`: what is no more has a field of its own."""

    title: str
    url: str
    back: str
    fields: Sequence[Field]
    here: str
    found: Resource | None = None
    anchor: str = ""
    ends: bool = False

    def typed(self) -> dict[str, str]:
        """What was sent."""
        return {each.name: request.form.get(each.name, "").strip() for each in self.fields}


def shown(
    form: Form, values: Mapping[str, str], errors: Mapping[str, str] | None = None, status: int = 200
) -> Response:
    """The page of a form, with values and what is wrong with them, by field."""
    return page(
        "record/form.html",
        status,
        form=form,
        title=form.title,
        typed=values,
        errors=errors or {},
        sending=request.form.get("envoi") or own.new_sending(),
        here=form.here,
    )


def carried_out(
    form: Form, values: Mapping[str, str], errors: Mapping[str, str], act: Callable[[], None], done: str
) -> Response:
    """Does what was sent, unless something is wrong with it, and goes back; else the form again.

    `act` raises Refused; `done`: what the page that it leads to is told (`fait`).
    """
    if errors:
        return shown(form, values, errors, HTTPStatus.UNPROCESSABLE_ENTITY)
    try:
        act()
    except Refused as refused:
        status, told = own.refusal(refused)
        return shown(form, values, {"": told}, status)
    return browser.redirect(f"{form.back}?fait={done}{form.anchor}")


def wrong(read: Mapping[str, Read]) -> dict[str, str]:
    """What is wrong with what was read, in words, by field."""
    return {name: own.wrong(each.error) for name, each in read.items() if each.error}
