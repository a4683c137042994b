"""Provenance: who took part in the document, and from which document each derived resource comes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fhirserver.documents.cda import values
from fhirserver.documents.cda.participations import type_of
from fhirserver.spec.systems import DATA_OPERATION, PARTICIPATION

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fhirserver.documents.cda.context import Context, Reference
    from fhirserver.documents.cda.header import Parts
    from fhirserver.documents.cda.node import Node
    from fhirserver.documents.cda.participations import Participation


Resource = dict[str, Any]


def trace(root: Node, document: Reference, composition: Reference, parts: Parts, ctx: Context) -> None:
    """Takes a Provenance for each time at which somebody took part, and one for each author of derived resources."""
    for time, period, taken in _grouped(parts.participations):
        made: Resource = _provenance([document, composition], parts)
        if period:
            made["occurredPeriod"] = period
        elif time:
            made["occurredDateTime"] = time
        made["agent"] = [_agent(each) for each in taken]
        ctx.add(made, "provenance")
    written = parts.of("AUT")
    whole = (tuple(each.who["reference"] for each in written), written[0].time if written else None)
    told = {time for _, time in ctx.derived}
    for node, text in ctx.written:
        if text not in told:
            ctx.leave(node, "unread")
    said: dict[tuple[tuple[str, ...], str | None], list[str]] = {}
    for key, urls in ctx.derived.items():
        said.setdefault(key if key[0] else whole, []).extend(urls)
    for (authors, time), targets in said.items():
        made = _provenance([{"reference": url} for url in targets], parts)
        if time:
            made["occurredDateTime"] = time
        made["agent"] = [{"type": _coded("AUT"), "who": {"reference": url}} for url in authors] or [
            {"who": parts.custodian or values.absent_element(None)}
        ]
        made["entity"] = [{"role": "source", "what": document}]
        ctx.add(made, "provenance")


def _grouped(participations: Iterable[Participation]) -> list[tuple[str | None, Resource | None, list[Participation]]]:
    """Those who took part, by when; attesters have their place in the Composition."""
    groups: dict[str, tuple[str | None, Resource | None, list[Participation]]] = {}
    for each in participations:
        if each.type in ("LA", "AUTHEN"):
            continue
        key = f"{each.time}|{each.period}"
        groups.setdefault(key, (each.time, each.period, []))[2].append(each)
    return list(groups.values())


def _provenance(targets: list[Reference], parts: Parts) -> Resource:
    created = parts.header.created
    return {
        "resourceType": "Provenance",
        "target": targets,
        **({"recorded": values.as_instant(created)} if created else {"_recorded": values.absent_element(None)}),
        "activity": {"coding": [{"system": DATA_OPERATION, "code": "CREATE"}]},
    }


def _agent(each: Participation) -> Resource:
    types = type_of(each)
    found: Resource = {"type": types[0], "who": each.who}
    return {**found, "role": types[1:]} if types[1:] else found


def _coded(code: str) -> Resource:
    return {"coding": [{"system": PARTICIPATION, "code": code}]}
