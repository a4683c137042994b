"""`/dossier/<patient>/mesures`: the latest of each measure; of one, its values in a table and a curve; entering one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from flask import Response, abort, request

from fhirserver.espace.profile import measuring, tables, typed
from fhirserver.portal import dates
from fhirserver.portal.language import N_, _
from fhirserver.portal.page import done, page
from fhirserver.portal.record import curve, own, period, plot, wording
from fhirserver.portal.record import form as form_
from fhirserver.portal.record.biology import COUNT, TYPE
from fhirserver.portal.record.form import Field, Form
from fhirserver.portal.record.space import PAGE, PERSONS, access_of, opened
from fhirserver.spec.systems import LOINC

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from flask import Blueprint

    from fhirserver.espace.profile.tables import Measure
    from fhirserver.portal.record.space import Resource, Space

_RIGHT: Final = ("status:not", "entered-in-error,cancelled")
_ALSO: Final = {"poids": ("3141-9",), "saturation": (), "glycemie": ("2339-0", "2345-7")}
"""LOINC codes under which others send the same."""
_SAID: Final = ("effectiveDateTime", "valueQuantity", "component")
"""What the form says of a measure."""
_DONE: Final = {"ajoute": N_("C’est enregistré."), "change": N_("C’est modifié."), "supprime": N_("C’est supprimé.")}


class Row(NamedTuple):
    """A measure of a table. `name`: of the measure in paths; `own`: said by the person; `mine`: to be changed by who
    is logged in; `source`: the device."""

    id: str
    name: str
    title: str
    date: str
    value: str
    own: bool
    mine: bool
    source: str


def routes(pages: Blueprint) -> None:
    base = "/dossier/<patient>/mesures"
    both = ["GET", "POST"]
    pages.add_url_rule(base, "measures", measures)
    pages.add_url_rule(f"{base}/<name>", "measure", history)
    pages.add_url_rule(f"{base}/<name>/courbe.svg", "measure_plot", course)
    pages.add_url_rule(f"{base}/<name>/ajouter", "measure_add", add, methods=both)
    pages.add_url_rule(f"{base}/<name>/<id>", "measure_change", change, methods=both)
    pages.add_url_rule(f"{base}/<name>/<id>/supprimer", "measure_delete", delete, methods=["POST"])


def measures(patient: str) -> Response:
    """The latest of each measure, and the body mass index of the latest weight and height of an adult."""
    space = opened(patient)
    found = latest(space)
    bmi = measuring.adult_bmi(found, space.patient.get("birthDate"), own.today(space), dates.zone().key)
    return page(
        "record/measures.html",
        rows=[row(space, each) for each in found],
        bmi=plot.number(bmi) if bmi is not None else "",
        known=[(each.name, own.name(each.names)) for each in measuring.entered()],
        done=done(_DONE),
        here="measures",
    )


def latest(space: Space) -> list[Resource]:
    """The latest Observation of each measure."""
    asked = (("patient", f"Patient/{space.id}"), ("category", "vital-signs"), _RIGHT)
    return [each["resource"] for each in space.read(f"{TYPE}/$lastn", *asked).get("entry", ())]


def history(patient: str, name: str) -> Response:
    """The values of a measure, newest first, by period."""
    space, asked, measure = opened(patient), period.read(request.args), _measure(name)
    found = space.search(TYPE, *_criteria(measure), *asked.params, page=request.args.get(PAGE, ""))
    curves = [(part, plot.points(_of(part, found.resources))) for part in tables.parts(name) or (measure,)]
    return page(
        "record/measure.html",
        asked.status,
        found=found,
        measure=measure.name,
        title=own.name(measure.names),
        rows=[row(space, each) for each in found.resources],
        curves=[(part.name, own.name(part.names), curve.told(each)) for part, each in curves if len(each) > 1],
        typed=asked.typed,
        errors=asked.errors,
        is_entered=measure.name not in measuring.COMPUTED,
        done=done(_DONE),
        here="measures",
    )


def course(patient: str, name: str) -> Response:
    """The curve of a measure, or of one of its components, as an image."""
    space, asked, measure = opened(patient), period.read(request.args), _measure(name)
    parts = {each.name: each for each in tables.parts(name) or (measure,)}
    part = parts.get(request.args.get("partie", "")) or next(iter(parts.values()))
    found = space.search(TYPE, *_criteria(measure), *asked.params)
    return curve.image(plot.points(_of(part, found.resources)))


def add(patient: str, name: str) -> Response:
    """The form of a new measure, and what was sent by it."""
    space, measure = opened(patient, *PERSONS), _entered(name)
    form = _form(space, measure)
    if request.method == "GET":
        return form_.shown(form, {"date": own.today(space).strftime("%d/%m/%Y")})
    read, values = _read(space, measure), form.typed()
    return form_.carried_out(
        form, values, form_.wrong(read), lambda: own.store(space, [_built(space, measure, read)]), "ajoute"
    )


def change(patient: str, name: str, id: str) -> Response:
    """The form of a measure of one's own, and what was sent by it."""
    space, measure = opened(patient, *PERSONS), _entered(name)
    found = _own(space, measure, id)
    form = _form(space, measure, found)
    if request.method == "GET":
        return form_.shown(form, _values(found))
    read = _read(space, measure)

    def store() -> None:
        made = _built(space, measure, read)
        own.replace(space, found | {each: made[each] for each in _SAID if each in made})

    return form_.carried_out(form, form.typed(), form_.wrong(read), store, "change")


def delete(patient: str, name: str, id: str) -> Response:
    """Takes away a measure of one's own."""
    space, measure = opened(patient, *PERSONS), _entered(name)
    found = _own(space, measure, id)
    form = _form(space, measure, found)
    return form_.carried_out(form, _values(found), {}, lambda: own.remove(space, found), "supprime")


def row(space: Space, resource: Mapping[str, Any]) -> Row:
    """A measure of a table."""
    measure = measuring.measure_of(resource)
    at = resource.get("effectiveDateTime") or (resource.get("effectivePeriod") or {}).get("start")
    return Row(
        str(resource["id"]),
        measure.name if measure else "",
        own.name(measure.names) if measure else wording.concept(resource.get("code")) or _("Mesure"),
        wording.when(at, time=measure is None or measuring.has_time(measure)),
        wording.amount(resource),
        own.is_entered(resource),
        space.is_person and measure is not None and own.is_mine(space, resource),
        wording.actor(resource.get("device") or {}),
    )


def _measure(name: str) -> Measure:
    found = tables.measures().get(name)
    return found if found is not None and not found.parent else abort(404)


def _entered(name: str) -> Measure:
    found = _measure(name)
    return found if found in measuring.entered() else abort(404)


def _own(space: Space, measure: Measure, id: str) -> Resource:
    found = space.one(TYPE, id)
    return found if measuring.measure_of(found) == measure and own.is_mine(space, found) else abort(404)


def _criteria(measure: Measure) -> Iterable[tuple[str, str]]:
    codes = ",".join(f"{LOINC}|{each}" for each in (*measure.codes, *_ALSO.get(measure.name, ())))
    return (_RIGHT, ("code", codes), ("_sort", "-date"), ("_count", COUNT))


def _of(part: Measure, found: Iterable[Resource]) -> list[Resource]:
    """The Observations as if each were of the one component."""
    if not part.parent:
        return list(found)
    return [
        {"effectiveDateTime": each.get("effectiveDateTime"), "valueQuantity": one.get("valueQuantity") or {}}
        for each in found
        for one in each.get("component") or ()
        if any(coding.get("code") in part.codes for coding in (one.get("code") or {}).get("coding") or ())
    ]


def _read(space: Space, measure: Measure) -> dict[str, typed.Read]:
    """What was typed, by field."""
    sent = request.form
    when = typed.moment(sent.get("date", ""), sent.get("heure", ""), access_of(space).now, dates.zone())
    return {**measuring.values(measure, sent), "date": when}


def _built(space: Space, measure: Measure, read: Mapping[str, typed.Read]) -> Resource:
    """The Observation of what was read."""
    found = {name: each.text for name, each in read.items()}
    return measuring.observation(measure, found, found["date"], f"Patient/{space.id}", own.person(space))


def _values(found: Resource) -> dict[str, str]:
    """What a measure says, as it is typed, in the time zone of the page."""
    at = str(found.get("effectiveDateTime") or "")
    read = plot.moment(at) if "T" in at else None
    local = read.astimezone(dates.zone()) if read is not None else None
    when = {"date": local.strftime("%d/%m/%Y"), "heure": local.strftime("%H:%M")} if local else {"date": own.day(at)}
    return measuring.typed(found) | when


def _form(space: Space, measure: Measure, found: Resource | None = None) -> Form:
    parts = tables.parts(measure.name) or (measure,)
    fields = [Field(each.name, "number", _with_unit(each)) for each in parts] + [Field("date", "day", _("Date"))]
    if measuring.has_time(measure):
        fields.append(Field("heure", "time", _("Heure"), required=False))
    url = f"{space.url}/mesures/{measure.name}"
    return Form(own.name(measure.names), url, url, fields, "measures", found)


def _with_unit(measure: Measure) -> str:
    told = own.name(measure.names)
    return told if measure.ucum in ("1", "1/(24.h)") else f"{told} ({measure.unit})"
