"""What documents of other hands hold that the generator never writes: more, fewer, deeper, and in other types.

Each habit is a change that CDA R2 admits. What it adds bears marks (`Zq…`, numbers of its own), so that an account of
the conversion can look for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lxml import etree

from tools.cda.habits.body import (
    act_relations,
    bare_section,
    conditions,
    externals,
    loose_entry,
    nested_organizers,
    nested_sections,
)
from tools.cda.habits.content import (
    codes,
    identifiers,
    moments,
    narrative,
    negations,
    nulls,
    pictures,
    ranges,
    specimens,
    times,
    values,
)
from tools.cda.habits.header import (
    header_acts,
    header_orders,
    header_patient,
    header_people,
    header_related,
    header_stay,
)
from tools.cda.habits.people import authors, informants, participants, patient_acts, performers, subject

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    Habit = Callable[[etree._Element, Random], None]

HABITS: Final[tuple[Habit, ...]] = (
    authors, informants, participants, performers, patient_acts, subject, nested_organizers, nested_sections,
    bare_section,
    act_relations, loose_entry, externals, conditions, values, times, moments, codes, identifiers, negations, ranges,
    specimens, pictures, nulls, narrative, header_people, header_acts, header_orders, header_stay, header_patient,
    header_related,
)  # fmt: skip
"""All of them."""


def written_otherwise(data: bytes, random: Random, times: int, among: tuple[Habit, ...] = HABITS) -> bytes:
    """A document with so many habits of other hands."""
    root = etree.fromstring(data)
    for _ in range(times):
        random.choice(among)(root, random)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")
