"""Criteria that lie in other resources: chains, `_has`, `_list`; described as data, carried out by the store
(https://hl7.org/fhir/R4/search.html#chaining, #has).

    subject:Patient.name=x                the resource refers to a Patient that `name=x` finds
    subject.name=x                        … to a resource of whatever type that has the parameter
    _has:Observation:patient:code=x       an Observation that `code=x` finds refers to the resource
    _list=42                              List/42 refers to the resource
    questionnaire.title=x                 a canonical leads to what bears it, with `|version` to that version alone

What follows the first step is read as a search of the other type, so that steps combine to any depth.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Protocol

from fhirserver.errors import BadRequest, UnknownParameter
from fhirserver.predicate import Eq
from fhirserver.search.asked import identity
from fhirserver.search.criteria import Criterion, compile_reference, merged
from fhirserver.search.parameters import catalogue
from fhirserver.search.patients import names_the_patient
from fhirserver.search.query import Chain, Member, Query, Reverse, Target

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fhirserver.search.asked import Asker
    from fhirserver.search.parameters import Parameter, Parameters
    from fhirserver.spec import Definitions

HAS: Final = "_has:"
_LIST: Final = "_list"
_CHAIN: Final = re.compile(r"(?P<code>[\w\-]+)(?::(?P<type>[^.:]*))?\.(?P<rest>.+)", re.DOTALL)


class Reading(Protocol):
    """Reads one criterion as a search of a type. Raises BadRequest, UnknownParameter among them."""

    def __call__(self, resource_type: str, name: str, value: str) -> Query: ...


def is_join(name: str) -> bool:
    """Whether the criterion lies in other resources."""
    return name.startswith(HAS) or name == _LIST or _CHAIN.fullmatch(name) is not None


def read(defs: Definitions, parameters: Parameters, name: str, value: str, read_: Reading) -> Chain | Reverse:
    """The join of a criterion. Raises UnknownParameter when a step is not offered, BadRequest otherwise."""
    if not value:
        raise BadRequest(f"The parameter {name} has an empty value.")
    if name == _LIST:
        return _list(parameters, value)
    if name.startswith(HAS):
        return has(defs, parameters, name, lambda type_, rest: read_(type_, rest, value))
    found = _CHAIN.fullmatch(name)
    if found is None:
        raise BadRequest(f"The parameter {name} cannot be read as a chain.")
    code, kind, rest = found.group("code", "type", "rest")
    return chain(defs, parameters, name, (code, kind, rest), lambda type_: read_(type_, rest, value))


def within(defs: Definitions, parameters: Parameters, query: Query, owner: str, id_: str, asker: Asker) -> Query:
    """The query limited to the compartment of `owner/id_`, in which resources of its type may be.

    The owner itself is in its own; what is in a Patient's is whatever was filed in the record.
    """
    if parameters.type == owner:
        return replace(query, where=(Eq("_id", id_), *query.where))
    if owner == "Patient":
        return replace(query, joins=(Member(id_), *query.joins))
    conferring = [parameters.offered[code] for code in defs.compartment(owner)[parameters.type]]
    conditions = [compile_reference(Criterion(each.code, each, owner, id_), id_, asker) for each in conferring]
    return replace(query, where=(merged(conditions), *query.where))


def chain(
    defs: Definitions,
    parameters: Parameters,
    name: str,
    step: tuple[str, str | None, str],
    read_: Callable[[str], Query],
) -> Chain:
    """A step forward: the reference parameter, the type it is limited to, and what is asked of that, which `read_`
    reads as a search of a type; `name` is for complaints."""
    code, kind, rest = step
    parameter = _reference(parameters, name, code)
    reached: Sequence[str] = possible(defs, parameter)
    if kind is not None:
        if kind not in defs.resource_types:
            raise UnknownParameter(f"The parameter {name} names {kind!r}, which is no resource type.")
        if kind not in reached:
            raise BadRequest(f"The parameter {name}: {code} of {parameters.type} never leads to {kind}.")
        reached = (kind,)
    targets: list[Target] = []
    errors: list[BadRequest] = []
    for target in reached:
        codes = _codes(parameter, target)
        if not codes:
            continue
        try:
            query = read_(target)
        except UnknownParameter as error:
            errors.append(error)
        except BadRequest as error:
            if error.issues[0].code == "too-costly":
                raise
            errors.insert(0, error)
        else:
            pins = target == "Patient" and names_the_patient(parameters, code)
            targets.append(Target(codes, query, pins, parameter.canonical_only))
    if targets:
        return Chain(name, tuple(targets))
    if kind is None and len(reached) > 1 and all(isinstance(each, UnknownParameter) for each in errors):
        raise UnknownParameter(f"The parameter {name} is not offered: no type that {code} leads to has {rest}.")
    raise errors[0] if errors else UnknownParameter(f"The parameter {name} is not offered: {code} leads nowhere.")


def has(defs: Definitions, parameters: Parameters, name: str, read_: Callable[[str, str], Query]) -> Reverse:
    """A step backward, `_has:Type:reference:rest`; `read_` reads the rest as a search of the type."""
    kind, _, rest = name.removeprefix(HAS).partition(":")
    code, _, rest = rest.partition(":")
    if not kind or not code or not rest:
        raise BadRequest(f"The parameter {name} must be _has:Type:reference:parameter.")
    if kind not in defs.resource_types:
        raise UnknownParameter(f"The parameter {name} names {kind!r}, which is no resource type.")
    referring = catalogue(defs).of(kind)
    parameter = _reference(referring, name, code)
    codes = _codes(parameter, parameters.type)
    if not codes or parameters.type not in possible(defs, parameter):
        raise BadRequest(f"The parameter {name}: {code} of {kind} never leads to {parameters.type}.")
    pins = parameters.type == "Patient" and names_the_patient(referring, code)
    return Reverse(name, codes, read_(kind, rest), pins, parameter.canonical_only)


def _list(parameters: Parameters, value: str) -> Reverse:
    if value.startswith("$"):
        raise UnknownParameter(f"The parameter _list={value} is not offered: lists that are kept by function are not.")
    if "," in value:
        raise BadRequest("The value of _list must be one logical id.")
    return Reverse(_LIST, ("item",), Query("List", (Eq("_id", identity(_LIST, value)),)))


def _reference(parameters: Parameters, name: str, code: str) -> Parameter:
    found = parameters.offered.get(code)
    if found is None or found.type != "reference":
        listed = [each for each, item in parameters.offered.items() if item.type == "reference"]
        raise UnknownParameter(
            f"The parameter {name} is not offered: {parameters.type} has no reference parameter {code!r}. "
            f"It has {', '.join(listed) or 'none'}."
        )
    return found


def possible(defs: Definitions, parameter: Parameter) -> Sequence[str]:
    """The types that a parameter may lead to."""
    possible = parameter.targets or defs.resource_types
    return [each for each in possible if catalogue(defs).of(each).canonical] if parameter.canonical_only else possible


def _codes(parameter: Parameter, target: str) -> tuple[str, ...]:
    """Those whose terms hold references to a type."""
    return tuple(source.code for source in parameter.sources if source.target in (None, target))
