"""The generated CDA documents, and a validator that holds what becomes of them to R4 and to the French profiles."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from fhirserver import jsontext
from fhirserver.documents.cda import PATIENT, Conversion, convert
from fhirserver.validation import Validator
from tools.cda.corpus import documents

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fhirserver.outcome import Issue


@cache
def corpus() -> dict[str, bytes]:
    """Every document by name."""
    return documents()


@cache
def converted(name: str) -> Conversion:
    """A document of the corpus, converted once."""
    return convert(corpus()[name])


@cache
def validator() -> Validator:
    """The French profile set."""
    return Validator()


def stored(resource: dict[str, Any]) -> dict[str, Any]:
    """A resource as a client would send it: through JSON."""
    found: dict[str, Any] = jsontext.parse_object(jsontext.dump(resource))
    return found


def errors(conversion: Conversion) -> list[Issue]:
    """All that validation refuses among the resources."""
    return [
        issue for entry in conversion.entries for issue in validator().validate(stored(entry.resource)).issues
        if issue.is_error
    ]  # fmt: skip


def references(value: Any) -> Iterator[str]:
    """Every `reference` within a JSON value."""
    if isinstance(value, dict):
        if isinstance(value.get("reference"), str):
            yield value["reference"]
        for each in value.values():
            yield from references(each)
    elif isinstance(value, list):
        for each in value:
            yield from references(each)


def dangling(conversion: Conversion) -> list[str]:
    """References (and attachment urls) to what is neither an entry, nor the patient, nor contained."""
    known = {PATIENT, *(entry.full_url for entry in conversion.entries)}
    found = []
    for entry in conversion.entries:
        inner = {f"#{each['id']}" for each in entry.resource.get("contained", ())}
        found += [each for each in references(entry.resource) if each not in known and each not in inner]
    return found
