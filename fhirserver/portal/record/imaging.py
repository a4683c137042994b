"""`/dossier/<patient>/imagerie`: studies and documents of imaging; one study with its series, and its images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from flask import Response, abort, request

from fhirserver import jsontext
from fhirserver.imaging.study import MOST
from fhirserver.portal import parameters
from fhirserver.portal.language import N_, _
from fhirserver.portal.page import page
from fhirserver.portal.record import documents, modalities, period, wording
from fhirserver.portal.record.space import PAGE, Refused, opened
from fhirserver.rest.edge import services

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from flask import Blueprint

    from fhirserver.portal.record.space import Resource, Space

TYPE: Final = "ImagingStudy"
COUNT: Final = "20"
CLASS: Final = ("category", "31")
"""Imaging, of the classes of documents (TRE_A03)."""
_RIGHT: Final = ("status:not", "entered-in-error,cancelled")
_STATES: Final = {"registered": N_("demandé"), "unknown": N_("état inconnu")}
_NO_PACS: Final = N_("Ce serveur n’est relié à aucun service d’images.")
_ELSEWHERE: Final = N_("Les images de cet examen ne se consultent pas ici : demandez-les à qui les a faites.")
_AWAY: Final = N_("Les images ne sont pas accessibles pour le moment. Réessayez plus tard.")


class Row(NamedTuple):
    """A study as lists show it; `reports`: ids and titles of the documents about it."""

    id: str
    title: str
    date: str
    modality: str
    site: str
    where: str
    images: int | None
    state: str
    reports: list[tuple[str, str]]


class Series(NamedTuple):
    """`first`: the number of its first image in the study, None where none is shown."""

    title: str
    modality: str
    site: str
    images: int | None
    first: int | None


class Images(NamedTuple):
    """`total` images may be looked at, `number` is the one on the page; else `told` says why none."""

    series: list[str]
    told: str
    number: int = 1

    @property
    def total(self) -> int:
        return len(self.series)


def routes(pages: Blueprint) -> None:
    base = "/dossier/<patient>/imagerie"
    pages.add_url_rule(base, "imaging", overview)
    pages.add_url_rule(f"{base}/documents", "imaging_documents", reports)
    pages.add_url_rule(f"{base}/<id>", "imaging_study", study)
    pages.add_url_rule(f"{base}/<id>/images/<int:number>.jpg", "imaging_image", image)


def overview(patient: str) -> Response:
    """Studies by period, the latest first, and the latest documents of imaging."""
    space, asked = opened(patient), period.read(request.args, "started")
    params = (_RIGHT, ("_sort", "-started"), ("_count", COUNT), *asked.params)
    found = space.search(TYPE, *params, page=request.args.get(PAGE, ""))
    about = _reports(space, found.resources)
    latest = space.search(documents.TYPE, CLASS, ("status", "current"), ("_sort", "-date"), ("_count", "5"))
    return page(
        "record/imaging.html",
        asked.status,
        found=found,
        rows=[row(each, about) for each in found.resources],
        documents=[documents.summary(each) for each in latest.resources],
        typed=asked.typed,
        errors=asked.errors,
        here="imaging",
    )


def reports(patient: str) -> Response:
    """All documents of imaging, the latest first."""
    space = opened(patient)
    params = (CLASS, ("status", "current"), ("_sort", "-date"), ("_count", COUNT))
    found = space.search(documents.TYPE, *params, page=request.args.get(PAGE, ""))
    rows = [documents.summary(each) for each in found.resources]
    return page("record/imaging-documents.html", found=found, rows=rows, here="imaging")


def study(patient: str, id: str) -> Response:
    """One study, its series, and the image of the number that is asked for."""
    space = opened(patient)
    found = space.one(TYPE, id)
    shown = _images(space, found, request.args.get("image", "1"))
    return page(
        "record/imaging-study.html",
        study=row(found, _reports(space, [found])),
        referrer=wording.actor(found.get("referrer") or {}),
        series=[_series(each, shown) for each in found.get("series", ())],
        shown=shown,
        here="imaging",
    )


def image(patient: str, id: str, number: int) -> Response:
    """An image, of this record's study."""
    space = opened(patient)
    if not 1 <= number <= MOST:
        abort(404)
    space.one(TYPE, id)
    answer = space.got(f"{TYPE}/{id}/$image?number={number}&size=full")
    response = Response(answer.parts, answer.status, dict(answer.headers))
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def row(found: Mapping[str, Any], about: Mapping[str, list[tuple[str, str]]]) -> Row:
    """A study in words; `about`: documents by the id of a study."""
    series = found.get("series", ())
    kinds = [*found.get("modality", ()), *(each["modality"] for each in series if each.get("modality"))]
    codes = dict.fromkeys(str(each.get("code") or "") for each in kinds)
    named = dict.fromkeys(modalities.name(each) for each in codes if each)
    sites = dict.fromkeys(told for each in series if (told := wording.concept(each.get("bodySite"))))
    count = found.get("numberOfInstances")
    state = str(found.get("status"))
    modality = ", ".join(named)
    return Row(
        str(found["id"]),
        str(found.get("description") or "") or modality or _("Examen d’imagerie"),
        wording.when(found.get("started")),
        modality,
        ", ".join(sites),
        wording.actor(found.get("location") or {}),
        int(count) if count is not None else None,
        _(_STATES[state]) if state in _STATES else "",
        about.get(str(found["id"]), []),
    )


def _series(found: Mapping[str, Any], shown: Images) -> Series:
    uid, count = found.get("uid"), found.get("numberOfInstances")
    return Series(
        str(found.get("description") or ""),
        modalities.name(str((found.get("modality") or {}).get("code") or "")),
        wording.concept(found.get("bodySite")),
        int(count) if count is not None else None,
        shown.series.index(uid) + 1 if uid in shown.series else None,
    )


def _images(space: Space, found: Resource, asked: str) -> Images:
    """What may be looked at, as the API says ($images)."""
    if services().pacs is None:
        return Images([], _(_NO_PACS))
    try:
        answer = space.ask("GET", f"{TYPE}/{found['id']}/$images")
    except Refused as refused:
        return Images([], _(_AWAY) if refused.status >= 500 else _(_ELSEWHERE))
    told = jsontext.parse_object(answer.body or b"{}")["parameter"]
    series = [str(each["series"]) for each in parameters.values(told, "image")]
    if not asked.isascii() or not asked.isdigit() or len(asked) > 6:
        abort(404)
    number = int(asked)
    if series and not 1 <= number <= len(series):
        abort(404)
    return Images(series, "" if series else _(_ELSEWHERE), number)


def _reports(space: Space, studies: Iterable[Resource]) -> dict[str, list[tuple[str, str]]]:
    """The documents that refer to studies (`context.related`), by the id of a study."""
    places = {f"{TYPE}/{each['id']}": str(each["id"]) for each in studies}
    found: dict[str, list[tuple[str, str]]] = {}
    if not places:
        return found
    asked = (("related", ",".join(places)), ("status", "current"), ("_sort", "-date"), ("_count", "100"))
    for each in space.search(documents.TYPE, *asked).resources:
        title = str(documents.summary(each)["title"])
        for related in (each.get("context") or {}).get("related", ()):
            if (id_ := places.get(str(related.get("reference")))) is not None:
                found.setdefault(id_, []).append((str(each["id"]), title))
    return found
