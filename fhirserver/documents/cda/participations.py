"""Participations of the header: who took part as what, in which function, when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from fhirserver.documents.cda import actors, values
from fhirserver.spec.systems import PARTICIPATION

if TYPE_CHECKING:
    from fhirserver.documents.cda.context import Context, Reference
    from fhirserver.documents.cda.node import Node


RECIPIENT: Final = "IRCP"
"""A recipient of information; the header may say which kind of one (PRCP, TRC)."""

Resource = dict[str, Any]


@dataclass
class Participation:
    """Somebody who took part: the actor, as what (a code of v3-ParticipationType), in which function, when."""

    who: Reference
    type: str
    function: Resource | None = None
    time: str | None = None
    period: Resource | None = None
    signature: str | None = None


def participation(node: Node, type: str, ctx: Context) -> Participation | None:
    """Who a participation names, with function and time; None when it names nobody."""
    node.templates  # noqa: B018 read
    who = actors.participant(node, ctx)
    if who is None:
        return None
    stated = node.attributes.get("typeCode")
    if stated and (stated == type or type == RECIPIENT):
        type = node.get("typeCode") or type
    found = Participation(who, type, values.concept(node.one("functionCode")))
    time = node.one("time")
    if time is not None and (time.one("low") or time.one("high")):
        found.period = values.period(time)
    else:
        found.time = values.date_time(time)
    signature = node.one("signatureCode")
    if signature is not None and signature.attributes.get("code") == "S":
        signature.told()
        found.signature = "S"
    return found


def type_of(each: Participation) -> list[Resource]:
    """As what somebody took part, and in which function."""
    types: list[Resource] = [{"coding": [{"system": PARTICIPATION, "code": each.type}]}]
    return [*types, each.function] if each.function else types
