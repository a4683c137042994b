"""Small code systems, value sets and concept maps, written as a test reads them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from fhirserver.spec import Definitions
from fhirserver.terminology import Terminology, Wish

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
ANIMALS = "urn:test:animals"

Json = dict[str, Any]


def concept(code: str, display: str | None = None, *below: Json, **properties: Any) -> Json:
    """A concept; properties by their code, as `valueCode` or `valueBoolean`."""
    made: Json = {"code": code}
    if display:
        made["display"] = display
    if properties:
        made["property"] = [
            {"code": name, "valueBoolean" if isinstance(each, bool) else "valueCode": each}
            for name, value in properties.items()
            for each in (value if isinstance(value, list) else [value])
        ]
    if below:
        made["concept"] = list(below)
    return made


def system(url: str, *concepts: Json, **members: Any) -> Json:
    return {
        "resourceType": "CodeSystem",
        "status": "active",
        "content": "complete",
        "url": url,
        "concept": list(concepts),
        **members,
    }


def value_set(url: str, *include: Json, exclude: list[Json] | None = None, **members: Any) -> Json:
    compose: Json = {"include": list(include)}
    if exclude:
        compose["exclude"] = exclude
    return {"resourceType": "ValueSet", "status": "active", "url": url, "compose": compose, **members}


def where(name: str, op: str, value: str, of: str = ANIMALS) -> Json:
    """An include by one filter."""
    return {"system": of, "filter": [{"property": name, "op": op, "value": value}]}


def animals() -> Json:
    """animal > (mammal > (cat, dog, bat), bird > (owl, dodo)); a bat also flies."""
    dog = concept("dog", "Dog", legs="4")
    dog["designation"] = [
        {"language": "fr", "value": "Chien"},
        {"language": "fr-CA", "use": {"system": "urn:use", "code": "slang"}, "value": "Pitou"},
    ]
    mammal = concept("mammal", "Mammal", concept("cat", "Cat", legs="4"), dog, concept("bat", "Bat", legs="2"))
    bird = concept("bird", "Bird", concept("owl", "Owl", legs="2"), concept("dodo", "Dodo", legs="2", status="retired"))
    return system(
        ANIMALS,
        concept("animal", "Animal", mammal, bird, notSelectable=True),
        version="1.0",
        name="Animals",
        caseSensitive=True,
        property=[{"code": "legs", "type": "code"}],
    )


def terminology(*resources: Json) -> Terminology:
    return Terminology(Definitions.core()).bringing([animals(), *resources])


def codes_of(made: Terminology, of: str | Json, **wish: Any) -> list[str]:
    """The codes of an expansion, in order."""
    expanded = made.expand(of, Wish(**wish), now=NOW)
    return [each["code"] for each in expanded["expansion"].get("contains", [])]
