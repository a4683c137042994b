"""Chains and `_has` by reading every resource, and random ones to ask for; written from the specification alone
(https://hl7.org/fhir/R4/search.html#chaining, #has)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tests.search import generate, naive

if TYPE_CHECKING:
    from datetime import datetime
    from random import Random

Resource = dict[str, Any]
World = dict[str, list[Resource]]

REFERENCES = {
    "Observation": ("subject", "patient", "performer"),
    "RiskAssessment": ("subject",),
}
LEADING_TO = [("Observation", "subject"), ("Observation", "patient"), ("Observation", "performer"),
              ("RiskAssessment", "subject")]  # fmt: skip
DEEPEST = 3


class Joining(naive.Naive):
    """A search of a world of resources by type."""

    def __init__(self, zone: str, now: datetime, world: World) -> None:
        super().__init__(zone, now)
        self.world = world

    def matches(self, resource: Resource, name: str, value: str) -> bool:
        if name.startswith("_has:"):
            _, kind, code, rest = name.split(":", 3)
            return any(
                resource in self.reached(other, code, resource["resourceType"]) and self.matches(other, rest, value)
                for other in self.world[kind]
            )
        first, dot, rest = name.partition(".")
        if dot:
            code, _, kind = first.partition(":")
            return any(self.matches(other, rest, value) for other in self.reached(resource, code, kind))
        return super().matches(resource, name, value)

    def reached(self, resource: Resource, code: str, kind: str) -> list[Resource]:
        """What a resource refers to by a parameter, of that which is there."""
        _, getter = naive.PARAMETERS[resource["resourceType"]][code]
        found = []
        for link in getter(resource):
            literal = link.get("reference", "").removeprefix(naive.BASE + "/")
            match = re.fullmatch(r"([A-Z]\w+)/([^/]+)(/_history/.+)?", literal)
            if match and kind in ("", match[1]):
                found += [each for each in self.world.get(match[1], ()) if each["id"] == match[2]]
        return found


def worlds(random: Random) -> World:
    return {kind: generate.resources(random, kind, number) for kind, number in SIZES.items()}


SIZES = {"Patient": 4, "Observation": 8, "RiskAssessment": 5}


def criterion(random: Random, kind: str, depth: int = 0) -> tuple[str, str]:
    """A criterion of a type: mostly a join on the outside, seldom deep within."""
    if depth < DEEPEST and random.random() < (0.9, 0.4, 0.2)[depth]:
        if kind == "Patient":
            other, code = random.choice(LEADING_TO)
            name, value = criterion(random, other, depth + 1)
            return f"_has:{other}:{code}:{name}", value
        code = random.choice(REFERENCES[kind])
        name, value = criterion(random, "Patient", depth + 1)
        typed = random.choice(["", ":Patient"]) if code != "performer" else ":Patient"
        return f"{code}{typed}.{name}", value
    return generate.criterion(random, kind)


def query(random: Random, kind: str) -> list[tuple[str, str]]:
    asked = [criterion(random, kind) for _ in range(random.choice([1, 1, 2]))]
    if random.random() < 0.4:
        asked.append({"Patient": ("_id", "p1"), "Observation": ("patient", "p1")}.get(kind, ("subject", "Patient/p1")))
    return asked
