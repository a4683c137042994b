"""Who represents a person, by a RelatedPerson of the record, and what he may then (`representation.csv`).

A minor is represented by who has parental authority, or a guardian; a protected adult by whom a measure has represent
him in what concerns his person, not by who only assists. A measure lasts for the `period` of its RelatedPerson. The
person keeps all rights beside the representative (Code civil, articles 371-1, 425, 457-1 to 459-2; CSP R.1111-40).
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fhirserver.access import moments, tables
from fhirserver.access.moments import Span
from fhirserver.spec.systems import ROLE_CODE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

_NOS: Final = "https://mos.esante.gouv.fr/NOS/"
OWN: Final = "urn:fhirserver:representation"
"""Measures that no nomenclature has a code for."""
_SYSTEMS: Final = {
    "R216": f"{_NOS}TRE_R216-HL7RoleCode/FHIR/TRE-R216-HL7RoleCode",
    "R217": f"{_NOS}TRE_R217-ProtectionJuridique/FHIR/TRE-R217-ProtectionJuridique",
    "R260": f"{_NOS}TRE_R260-HL7RoleClass/FHIR/TRE-R260-HL7RoleClass",
    "FR": "https://hl7.fr/ig/fhir/core/CodeSystem/fr-core-cs-contact-relationship",
    "V3": ROLE_CODE,
    "OWN": OWN,
}
_UNNAMED: Final = "unnamed"


class Rights(NamedTuple):
    """What a representative may: read the record, write in it, let others in, close and have erased."""

    read: bool = False
    act: bool = False
    consent: bool = False
    close: bool = False


class Measure(NamedTuple):
    """A row of the table; `codes`: `system|code` of RelatedPerson.relationship."""

    name: str
    of: str
    codes: frozenset[str]
    rights: Rights
    article: str


class Representative(NamedTuple):
    """A RelatedPerson as a policy keeps it: of a minor, and of an adult, what he may, and from when to when."""

    minor: Rights
    adult: Rights
    span: Span

    def rights(self, now: datetime, *, minor: bool) -> Rights:
        if not (self.span.sure and self.span.holds(now)):
            return NOTHING
        return self.minor if minor else self.adult


NOTHING: Final = Rights()


@cache
def measures() -> tuple[Measure, ...]:
    return tuple(
        Measure(
            row["measure"],
            row["of"],
            frozenset(f"{_SYSTEMS[name]}|{code}" for name, _, code in _parted(row["codes"])),
            Rights(*(row[name] == "Y" for name in Rights._fields)),
            row["article"],
        )
        for row in tables.rows("representation.csv")
    )


@cache
def unnamed() -> Rights:
    """Of who represents a minor, and nothing is said of the relationship."""
    return next(each.rights for each in measures() if each.name == _UNNAMED)


def named(related: Mapping[str, Any]) -> list[Measure]:
    """The measures that a RelatedPerson names."""
    told = _codes(related)
    return [each for each in measures() if told & each.codes]


def representative(related: Mapping[str, Any], *, vouched: bool) -> Representative:
    """What a RelatedPerson makes of somebody. `vouched`: the operator declared it, which a measure of an adult needs.

    A relationship that gives no authority over a minor gives nothing; where none is told, `unnamed`.
    """
    found = named(related)
    if related.get("active") is False:
        return Representative(NOTHING, NOTHING, moments.ALWAYS)
    minor = _all(found, "minor") if _codes(related) else unnamed()
    adult = _all(found, "adult") if vouched else NOTHING
    return Representative(minor, adult, moments.span(related.get("period")))


def described(found: Representative) -> dict[str, Any]:
    """As a policy document has it."""
    return {
        "minor": list(found.minor),
        "adult": list(found.adult),
        "start": found.span.start,
        "end": found.span.end,
        "sure": found.span.sure,
    }


def written(document: Mapping[str, Any]) -> Representative:
    """Whom a policy document describes."""
    span = Span(document["start"], document["end"], document["sure"])
    return Representative(Rights(*document["minor"]), Rights(*document["adult"]), span)


def _all(found: list[Measure], of: str) -> Rights:
    """What several measures give together."""
    mine = [each.rights for each in found if each.of == of]
    return Rights(*map(any, zip(*mine, strict=True))) if mine else NOTHING


def _codes(related: Mapping[str, Any]) -> frozenset[str]:
    concepts = related.get("relationship")
    found = set()
    for concept in concepts if isinstance(concepts, list) else ():
        for coding in (concept.get("coding") or ()) if isinstance(concept, dict) else ():
            if isinstance(coding, dict) and isinstance(coding.get("code"), str):
                found.add(f"{coding.get('system') or ''}|{coding['code']}")
    return frozenset(found)


def _parted(codes: str) -> list[tuple[str, str, str]]:
    return [each.partition("|") for each in codes.split()]
