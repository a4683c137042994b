"""`/dossier/<patient>/biologie`: the latest result of each analysis; of one, all its results and their course."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from flask import Response, abort, request

from fhirserver.portal.language import N_, _
from fhirserver.portal.page import page
from fhirserver.portal.record import curve, period, plot, wording
from fhirserver.portal.record.space import PAGE, opened

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from flask import Blueprint

    from fhirserver.portal.record.space import Resource

TYPE: Final = "Observation"
LABORATORY: Final = ("category", "laboratory")
COUNT: Final = "100"
_RIGHT: Final = ("status:not", "entered-in-error,cancelled")
_OUTSIDE: Final = {
    "H": N_("haut"),
    "HH": N_("très haut"),
    "L": N_("bas"),
    "LL": N_("très bas"),
    "A": N_("anormal"),
    "AA": N_("très anormal"),
}


class Row(NamedTuple):
    """A result as a table shows it; `code`: `system|code`, by which its analysis is found."""

    code: str
    name: str
    date: str
    value: str
    interval: str
    outside: str
    status: str


def routes(pages: Blueprint) -> None:
    base = "/dossier/<patient>/biologie"
    pages.add_url_rule(base, "biology", analyses)
    pages.add_url_rule(f"{base}/resultats", "biology_results", results)
    pages.add_url_rule(f"{base}/courbe.svg", "biology_plot", course)


def analyses(patient: str) -> Response:
    """The latest result of each code."""
    space = opened(patient)
    asked = (("patient", f"Patient/{space.id}"), LABORATORY, _RIGHT)
    found = space.read(f"{TYPE}/$lastn", *asked)
    rows = sorted(map(row, _entries(found)), key=lambda each: each.name.casefold())
    return page("record/biology.html", rows=[each for each in rows if each.value], here="biology")


def results(patient: str) -> Response:
    """All results of a code, newest first, by period."""
    space, asked = opened(patient), period.read(request.args)
    code = _code()
    found = space.search(TYPE, *_criteria(code), *asked.params, page=request.args.get(PAGE, ""))
    rows = [row(each) for each in found.resources]
    points = plot.points(found.resources)
    return page(
        "record/results.html",
        asked.status,
        found=found,
        rows=rows,
        code=code,
        name=next((each.name for each in rows), _("Résultats")),
        plotted=len(points) > 1,
        told=curve.told(points),
        typed=asked.typed,
        errors=asked.errors,
        here="biology",
    )


def course(patient: str) -> Response:
    """The curve of a code as an image, with the reference range as a band."""
    space, asked = opened(patient), period.read(request.args)
    found = space.search(TYPE, *_criteria(_code()), *asked.params)
    return curve.image(plot.points(found.resources))


def row(found: Mapping[str, Any]) -> Row:
    """A result of a table."""
    codings = (found.get("code") or {}).get("coding", ())
    code = next((f"{each.get('system', '')}|{each['code']}" for each in codings if each.get("code")), "")
    marks = [each.get("code") for one in found.get("interpretation", ()) for each in one.get("coding", ())]
    ranges = [told for each in found.get("referenceRange", ()) if (told := wording.interval(each))]
    return Row(
        code,
        wording.concept(found.get("code")) or _("Résultat"),
        wording.when(found.get("effectiveDateTime") or (found.get("effectivePeriod") or {}).get("start")),
        wording.amount(found),
        wording.series(ranges),
        next((_(_OUTSIDE[each]) for each in marks if each in _OUTSIDE), "") or _beside(found),
        _("provisoire") if found.get("status") in ("preliminary", "registered") else "",
    )


def _beside(found: Mapping[str, Any]) -> str:
    """Where a value lies that bears no mark, of the only range that it is given."""
    point = plot.point(found)
    if point is None or len(found.get("referenceRange", ())) != 1:
        return ""
    if point.low is not None and point.value < point.low:
        return _(_OUTSIDE["L"])
    return _(_OUTSIDE["H"]) if point.high is not None and point.value > point.high else ""


def _criteria(code: str) -> Iterable[tuple[str, str]]:
    return (LABORATORY, _RIGHT, ("code", code), ("_sort", "-date"), ("_count", COUNT))


def _code() -> str:
    """`system|code` of one analysis: no list, which a search would take for several."""
    code = request.args.get("code", "")
    if (not code and PAGE not in request.args) or "," in code or len(code) > 300 or not code.isprintable():
        abort(404)
    return code


def _entries(bundle: Resource) -> list[Resource]:
    return [each["resource"] for each in bundle.get("entry", ()) if each["resource"]["resourceType"] == TYPE]
