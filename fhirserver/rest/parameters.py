"""The parameters of an operation: from the query, a Parameters resource, or a resource as the body.

What an operation takes is what its OperationDefinition in R4 says (https://hl7.org/fhir/R4/operations.html#request).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fhirserver.errors import BadRequest, UnknownParameter, Unprocessable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from fhirserver.rest.exchange import Exchange

DEFINITIONS: Final = "http://hl7.org/fhir/OperationDefinition/"
OWN_DEFINITIONS: Final = "urn:fhirserver:operation:"

_TEXTS: Final = frozenset(
    {"uri", "string", "code", "canonical", "dateTime", "date", "instant", "id", "url", "oid", "markdown"}
)
_TEXT_MEMBERS: Final = frozenset(f"value{each[0].upper()}{each[1:]}" for each in _TEXTS)


class Given(NamedTuple):
    """A parameter as it came: `member` is `valueUri`, `resource` or `part`; empty for the text of a query."""

    name: str
    member: str
    value: Any


class Inputs:
    """The parameters of one call, each of the type and as often as the definition says."""

    def __init__(self, declared: Iterable[Mapping[str, Any]], given: Iterable[Given]) -> None:
        known = {each["name"]: each for each in declared if each.get("use", "in") == "in"}
        self._values: dict[str, list[Any]] = {}
        for each in given:
            if each.name not in known:
                raise UnknownParameter(f"The parameter {each.name!r} is not offered here.")
            values = self._values.setdefault(each.name, [])
            values.append(_typed(known[each.name], each))
            if len(values) > 1 and known[each.name]["max"] == "1":
                raise BadRequest(f"The parameter {each.name} may be given once.")

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def get(self, name: str) -> Any:
        """The value, None when it is not given: a text, number, truth value, data type, resource, or Inputs."""
        values = self._values.get(name)
        return values[0] if values else None

    def all(self, name: str) -> list[Any]:
        """All values of a parameter that may be given several times."""
        return self._values.get(name, [])

    def need(self, name: str) -> Any:
        """The value. Raises BadRequest when it is not given."""
        if name not in self._values:
            raise BadRequest(f"The parameter {name} is needed.", code="required")
        return self.get(name)

    def one_of(self, *names: str) -> str:
        """Which of several parameters is given. Raises BadRequest unless it is exactly one."""
        found = [name for name in names if name in self._values]
        if len(found) != 1:
            raise BadRequest(f"Give exactly one of {', '.join(names)}.", code="required" if not found else "invalid")
        return found[0]


def received(exchange: Exchange, operation: str, refused: Collection[str] = ()) -> Inputs:
    """The parameters of a call of `operation` (`ValueSet-expand`). `refused` are those that are not served here.

    Raises UnknownParameter, BadRequest, and Unprocessable for a resource among them that does not conform.
    """
    definition = exchange.services.definitions.find(DEFINITIONS + operation, "OperationDefinition")
    return received_as(
        exchange, [each for each in (definition or {}).get("parameter", ()) if each["name"] not in refused]
    )


def received_as(exchange: Exchange, declared: Sequence[Mapping[str, Any]]) -> Inputs:
    """The parameters of a call of an operation that is no one else's: as an OperationDefinition would declare them."""
    given = [Given(name, "", value) for name, value in exchange.params]
    if exchange.request.method == "POST" and has_body(exchange):
        given += _of_body(exchange.body(), declared)
    return Inputs(declared, given)


def conforming(exchange: Exchange, resource: dict[str, Any]) -> dict[str, Any]:
    """A resource that was given, when it is one of R4. Raises Unprocessable with what is wrong with it."""
    issues = [each for each in exchange.services.validator.check(resource) if each.is_error]
    if issues:
        raise Unprocessable("The resource given does not conform.", issues=issues)
    return resource


def has_body(exchange: Exchange) -> bool:
    """Whether there is a body to be read."""
    request = exchange.request
    return bool(request.content_length) or "Transfer-Encoding" in request.headers


def _of_body(body: dict[str, Any], declared: Iterable[Mapping[str, Any]]) -> list[Given]:
    """The parameters in a body; a resource other than Parameters is the one that the operation is about."""
    kind = body.get("resourceType")
    if kind == "Parameters":
        return listed(body)
    for each in declared:
        if each.get("use") == "in" and each.get("type") in (kind, "Resource"):
            return [Given(each["name"], "resource", body)]
    raise BadRequest(f"The body must be a Parameters resource, not {kind!r}.")


def listed(body: dict[str, Any]) -> list[Given]:
    """The parameters of a Parameters resource. Raises BadRequest for any other, and for what none can be."""
    if body.get("resourceType") != "Parameters":
        raise BadRequest(f"The body must be a Parameters resource, not {body.get('resourceType')!r}.")
    return _listed(body.get("parameter", []))


def _listed(parameters: Any) -> list[Given]:
    if not isinstance(parameters, list):
        raise BadRequest("Parameters.parameter must be an array.", code="structure")
    given = []
    for each in parameters:
        members = {name for name in each if name != "name"} if isinstance(each, dict) else set()
        if not isinstance(each, dict) or not isinstance(each.get("name"), str) or len(members) != 1:
            raise BadRequest("Each parameter has a name and one value, resource or part.", code="structure")
        (member,) = members
        given.append(Given(each["name"], member, each[member]))
    return given


def _typed(declared: Mapping[str, Any], given: Given) -> Any:
    kind = declared.get("type")
    if kind is None:
        return _part(declared, given)
    value: Any = given.value
    if not given.member:
        value = _of_text(str(kind), given)
    elif kind in _TEXTS:
        fits = given.member in _TEXT_MEMBERS and isinstance(value, str)
    elif kind[0].isupper() and given.member == "resource":
        fits = isinstance(value, dict) and kind in ("Resource", value.get("resourceType"))
    else:
        wanted: Mapping[str, type] = {"boolean": bool, "integer": int}
        fits = given.member == f"value{kind[0].upper()}{kind[1:]}" and type(value) is wanted.get(str(kind), dict)
    if given.member and not fits:
        raise BadRequest(f"The parameter {given.name} must be of type {kind}.")
    return value


def _of_text(kind: str, given: Given) -> Any:
    """A value of the query, which has room for simple types only."""
    text = str(given.value)
    if kind in _TEXTS:
        return text
    if kind == "boolean" and text in ("true", "false"):
        return text == "true"
    if kind == "integer" and text.isascii() and text.isdigit() and len(text) < 10:
        return int(text)
    if kind in ("boolean", "integer"):
        raise BadRequest(f"{given.name}={text} is no {kind}.")
    raise BadRequest(f"The parameter {given.name} is a {kind}: send it in a Parameters resource by POST.")


def _part(declared: Mapping[str, Any], given: Given) -> Inputs:
    if given.member != "part":
        raise BadRequest(f"The parameter {given.name} has parts: send it in a Parameters resource by POST.")
    return Inputs([{"use": "in", **each} for each in declared.get("part", ())], _listed(given.value))
