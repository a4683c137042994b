"""What the terminology operations share: the resource they are about, the codes in their parameters, the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

from fhirserver.audit import Entity, Event
from fhirserver.errors import BadRequest
from fhirserver.rest.answer import Answer, of_value
from fhirserver.rest.operations.stored import instance, resource
from fhirserver.rest.parameters import conforming

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fhirserver.rest.exchange import Exchange
    from fhirserver.rest.parameters import Inputs


class Subject(NamedTuple):
    """What an operation is called on: a canonical, or a resource that is stored or was given; None: nothing named."""

    type: str
    given: Any
    entities: tuple[Entity, ...] = ()

    @property
    def url(self) -> str | None:
        return self.given if isinstance(self.given, str) else None


def subject(
    exchange: Exchange, inputs: Inputs, type: str, id: str | None, member: str, version: str | None = None
) -> Subject:
    """The subject by the instance's id, by `url` (with the parameter `version`), or in the parameter `member`."""
    if id is not None:
        for name in ("url", member):
            if name in inputs:
                raise BadRequest(f"{name} is not for a call on {type}/{id}.")
        return stored_subject(exchange, type, id)
    name = inputs.one_of("url", member)
    if name == member:
        return Subject(type, conforming(exchange, inputs.get(member)))
    url: str = inputs.get("url")
    wanted = inputs.get(version) if version else None
    return Subject(type, f"{url}|{wanted}" if wanted and "|" not in url else url)


def stored_subject(exchange: Exchange, type: str, id: str) -> Subject:
    """The instance that an operation is called on. Raises NotFound or Gone."""
    stored = instance(exchange, type, id)
    return Subject(type, resource(stored).resource, (Entity.of(stored),))


def codings(inputs: Inputs, system: str | None, version: str | None) -> list[dict[str, Any]]:
    """The codes asked about: `code` (with `display`), `coding` or `codeableConcept`, exactly one of them."""
    name = inputs.one_of("code", "coding", "codeableConcept")
    if name == "code":
        found = {"system": system, "version": version, "code": inputs.get("code"), "display": inputs.get("display")}
        return [{key: value for key, value in found.items() if value is not None}]
    given = [inputs.get("coding")] if name == "coding" else inputs.get("codeableConcept").get("coding", [])
    return [coding(each) for each in given] if isinstance(given, list) else []


def coding(given: Any) -> dict[str, Any]:
    """A Coding whose members are texts. Raises BadRequest."""
    names = ("system", "version", "code", "display")
    if not isinstance(given, dict) or not all(isinstance(given.get(name, ""), str) for name in names):
        raise BadRequest("A Coding has system, version, code and display, all of them texts.", code="structure")
    return {name: given[name] for name in names if name in given}


def language(exchange: Exchange, inputs: Inputs) -> str | None:
    """The language of displays: as asked, else as the client reads."""
    asked: str | None = inputs.get("displayLanguage") or exchange.request.headers.get("Accept-Language")
    return asked


def answer(exchange: Exchange, operation: str, about: Subject, value: Mapping[str, Any]) -> Answer:
    """The answer with its trace: of the question, only what it is about."""
    query = f"{about.type}/{operation}"
    if about.url:
        query += f"?url={quote(about.url, safe=':/|')}"
    return of_value(200, value, Event("operation", 200, about.entities, query=query))
