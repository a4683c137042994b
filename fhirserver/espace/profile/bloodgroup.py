"""The blood group that laboratories determined (ABO and RhD): what is known, and whether determinations agree.

One determination on one sample makes a result; where a transfusion is at hand a second one, of another sample, is asked
for (order of 15 May 2018 on examinations of red cell immunohaematology). What a person says is never taken for one.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fhirserver.access import entered
from fhirserver.spec.systems import LOINC

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ABO: Final = "883-9"
RHD: Final = "10331-7"
BOTH: Final = "882-1"
CODES: Final = (ABO, RHD, BOTH)
"""LOINC: ABO group, Rh(D) type, ABO and Rh group."""
_GROUPS: Final = {
    "112144000": "A", "112149005": "B", "165743006": "AB", "58460004": "O",
    "LA19710-5": "A", "LA19709-7": "B", "LA28449-9": "AB", "LA19708-9": "O",
}  # fmt: skip
_SIGNS: Final = {"165747007": "+", "165746003": "-", "LA6576-8": "+", "LA6577-6": "-"}
"""Answers of SNOMED CT and LOINC."""
_GROUP: Final = re.compile(
    r"(?:groupe\s+)?(AB|A|B|O|0)(?:\s*(?:rh\w*\s*)?(?:\(?d\)?\s*)?(\+|-|pos\w*|n[eé]g\w*))?", re.IGNORECASE
)
_RHESUS: Final = re.compile(r"(?:rh\w*\s*)?(?:\(?d\)?\s*)?(\+|-|pos\w*|n[eé]g\w*)", re.IGNORECASE)


class Determination(NamedTuple):
    """What one sample gave: `at` as the results say it, `who` determined it."""

    at: str
    group: str
    rhesus: str
    who: str


class Card(NamedTuple):
    """`state`: `none` (no determination), `one`, `two` (two samples or more agree), `apart` (they do not agree).

    `group`, such as `O+`, is empty where there is none or they do not agree; `said`: what the person said.
    """

    state: str
    group: str
    determinations: tuple[Determination, ...]
    said: tuple[str, ...]


def card(observations: Iterable[Mapping[str, Any]]) -> Card:
    """The card of final Observations of `CODES`."""
    samples: dict[str, dict[str, str]] = {}
    said: list[str] = []
    for each in observations:
        group, rhesus = _read(each)
        at = str(each.get("effectiveDateTime") or "")
        if entered.marks(each) or not _is_laboratory(each) or not at:
            if entered.marks(each) and group + rhesus:
                said.append(group + rhesus)
            continue
        sample = samples.setdefault(at, {"group": "", "rhesus": "", "who": _who(each)})
        for name, value in (("group", group), ("rhesus", rhesus)):
            if value:
                sample[name] = value if sample[name] in ("", value) else "?"
    found = tuple(Determination(at, **samples[at]) for at in sorted(samples, reverse=True))
    whole = [each for each in found if each.group and each.rhesus]
    groups = {each.group + each.rhesus for each in whole}
    if not whole:
        return Card("none", "", found, tuple(said))
    if len(groups) > 1 or "?" in "".join(groups) or _contradicts(found, whole[0]):
        return Card("apart", "", found, tuple(said))
    return Card("two" if len(whole) > 1 else "one", groups.pop(), found, tuple(said))


def _contradicts(found: Iterable[Determination], known: Determination) -> bool:
    """Whether half a determination says something else."""
    return any(
        (each.group and each.group != known.group) or (each.rhesus and each.rhesus != known.rhesus) for each in found
    )


def _read(resource: Mapping[str, Any]) -> tuple[str, str]:
    """Group and sign that an Observation says; empty where it does not, or says it in a way that is not surely read."""
    concept = resource.get("valueCodeableConcept") or {}
    codes = [str(each.get("code")) for each in concept.get("coding") or ()]
    group = next((_GROUPS[each] for each in codes if each in _GROUPS), "")
    sign = next((_SIGNS[each] for each in codes if each in _SIGNS), "")
    text = " ".join(str(concept.get("text") or resource.get("valueString") or "").split())
    asked = {str(each.get("code")) for each in (resource.get("code") or {}).get("coding") or ()
             if each.get("system") == LOINC}  # fmt: skip
    if not group and asked & {ABO, BOTH} and (found := _GROUP.fullmatch(text)) is not None:
        group, sign = found[1].upper().replace("0", "O"), sign or _sign(found[2])
    if not sign and RHD in asked and (alone := _RHESUS.fullmatch(text)) is not None:
        sign = _sign(alone[1])
    return (group if asked & {ABO, BOTH} else ""), (sign if asked & {RHD, BOTH} else "")


def _sign(text: str | None) -> str:
    return "" if not text else "+" if text[0] in "+pP" else "-"


def _is_laboratory(resource: Mapping[str, Any]) -> bool:
    categories = resource.get("category") or ()
    return any(each.get("code") == "laboratory" for one in categories for each in one.get("coding") or ())


def _who(resource: Mapping[str, Any]) -> str:
    told = (str(each["display"]) for each in resource.get("performer") or () if each.get("display"))
    return next(told, "")
