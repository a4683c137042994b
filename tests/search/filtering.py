"""Filters by reading every resource, and random ones to ask for; written from the specification alone
(https://hl7.org/fhir/R4/search_filter.html)."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tests.search import generate, joining, naive

if TYPE_CHECKING:
    from random import Random

Resource = dict[str, Any]
Tree = tuple[Any, ...]
"""`("test", path, operator, value)`, `("and", tree, tree)`, `("or", tree, tree)`, `("not", tree)`."""

OPERATORS = {
    "string": ["eq", "co", "sw", "ew", "gt", "lt", "ge", "le"],
    "token": ["eq"],
    "reference": ["eq", "re"],
    "uri": ["eq"],
    "date": ["eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap", "po", "co"],
    "number": ["eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap"],
    "quantity": ["eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap"],
}
SINGLE = {"birthdate", "gender", "active", "organization", "code", "status", "subject", "url", "title"}


def tree(random: Random, kind: str, depth: int = 0) -> Tree:
    shape = random.choice(["test", "test", "and", "or", "or", "not"]) if depth < 3 else "test"
    if shape == "not":
        return "not", tree(random, kind, depth + 1)
    if shape in ("and", "or"):
        return shape, tree(random, kind, depth + 1), tree(random, kind, depth + 1)
    return test(random, kind)


def test(random: Random, kind: str) -> Tree:
    name = random.choice([each for each in naive.PARAMETERS[kind] if each not in ("patient", "telecom")])
    what, _, datatype = naive.PARAMETERS[kind][name][0].partition(":")
    if random.random() < 0.1:
        return "test", name, "pr", random.choice(["true", "false"])
    operators = OPERATORS[what] + (["ne"] if name in SINGLE and what not in ("date", "number", "quantity") else [])
    operator = random.choice(operators)
    return "test", name, operator, value(random, name, what, datatype)


def value(random: Random, name: str, what: str, datatype: str) -> str:
    if what == "string":
        text = random.choice([*generate.NAMES, *generate.CITIES])
        start = random.choice([0, 0, random.randint(0, len(text) - 1)])
        part = text[start : random.choice([len(text), start + 2])]
        return part if naive.folded(part) else "e"
    if what == "date":
        return random.choice(generate.SEARCHED)
    if what in ("number", "quantity"):
        units = ["", "", "|http://unitsofmeasure.org|mg", "|ucum|g", "||mg"]
        return random.choice(generate.SOUGHT) + (random.choice(units) if what == "quantity" else "")
    found = ":"
    while found[:1] == ":":
        modifier, text = generate.value(random, name, f"{what}:{datatype}" if datatype else what)
        found = modifier or text.removeprefix("eq")
    return found


def written(random: Random, found: Tree) -> str:
    """The tree as text, with no more parentheses than it needs, or with more."""
    if found[0] == "test":
        _, path, operator, value = found
        plain = not any(sign in value for sign in ' ")]') and random.random() < 0.5
        return f"{path} {operator} {value if plain else json.dumps(value, ensure_ascii=random.random() < 0.5)}"
    if found[0] == "not":
        return f"not ({written(random, found[1])})"
    first, second = (written(random, each) for each in found[1:])
    if found[2][0] in ("and", "or"):
        second = f"({second})"
    if random.random() < 0.3:
        first = f"( {first} )"
    return f"{first} {found[0]}  {second}"


class Filtered(joining.Joining):
    """A search of a world of resources by filters too: a tree stands where the text of `_filter` would."""

    def finds(self, resource: Resource, found: Tree) -> bool:
        if found[0] == "and":
            return all(self.finds(resource, each) for each in found[1:])
        if found[0] == "or":
            return any(self.finds(resource, each) for each in found[1:])
        if found[0] == "not":
            return not self.finds(resource, found[1])
        _, path, operator, value = found
        if "." in path:
            first, _, rest = path.partition(".")
            code, _, kind = first.partition(":")
            return any(self.finds(each, ("test", rest, operator, value)) for each in self.reached(resource, code, kind))
        return self.passes(resource, path, operator, value)

    def passes(self, resource: Resource, name: str, operator: str, value: str) -> bool:
        kind, getter = naive.PARAMETERS[resource["resourceType"]][name]
        values = getter(resource)
        what = kind.partition(":")[0]
        if operator == "pr":
            return bool(values) == (value == "true")
        if what == "string":
            texts = [naive.folded(text) for found in values for text in texts_of(found)]
            return any(compared(text, operator, naive.folded(value)) for text in texts)
        if operator == "ne" and what not in ("date", "number", "quantity"):
            return bool(values) and not any(self.one(kind, name, "", found, value) for found in values)
        if operator in ("po", "co"):
            return any(self.overlaps(found, operator, value) for found in values)
        if what in ("date", "number", "quantity"):
            value = operator + value.replace("|ucum|", "|http://unitsofmeasure.org|")
        return any(self.one(kind, name, "", found, value) for found in values)

    def overlaps(self, found: Any, operator: str, value: str) -> bool:
        start, end = self.range(value)
        first, last = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
        if isinstance(found, dict):
            low = self.range(found["start"])[0] if "start" in found else first
            high = self.range(found["end"])[1] if "end" in found else last
        else:
            low, high = self.range(found)
        return (low < end and start < high) if operator == "po" else (low <= start and end <= high)


def texts_of(found: Any) -> list[str]:
    if isinstance(found, str):
        return [found]
    parts = ("family", "given", "prefix", "suffix", "line", "city", "country", "postalCode", "state", "text")
    return [text for part in parts for text in naive.get(found, part)]


def compared(text: str, operator: str, value: str) -> bool:
    if operator == "ne":
        return text != value
    return {
        "eq": text == value,
        "co": value in text,
        "sw": text.startswith(value),
        "ew": text.endswith(value),
        "gt": text > value,
        "lt": text < value,
        "ge": text >= value,
        "le": text <= value,
    }[operator]


def chained(random: Random, kind: str, found: Tree) -> Tree:
    """The tree with some of its tests replaced by tests of Patients."""
    if found[0] != "test":
        return (found[0], *(chained(random, kind, each) for each in found[1:]))
    if kind in joining.REFERENCES and random.random() < 0.5:
        _, path, operator, value = test(random, "Patient")
        return "test", f"{random.choice(joining.REFERENCES[kind])}:Patient.{path}", operator, value
    return found
