"""Which patients a criterion limits a search to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fhirserver.predicate import Eq, In

if TYPE_CHECKING:
    from fhirserver.predicate import Predicate
    from fhirserver.search.criteria import Criterion
    from fhirserver.search.parameters import Parameters, Source

_PATIENT: Final = "Patient/"


def pinned(parameters: Parameters, criterion: Criterion, condition: Predicate) -> frozenset[str] | None:
    """The ids one of which is the `pat` of whatever meets the criterion; None when it does not say.

    It says when the criterion names patients by the foremost parameter of the compartment, if that has one value at
    most: a second value, or another parameter, may have made `pat` somebody else.
    """
    if criterion.modifier not in (None, "Patient"):
        return None
    if parameters.type == "Patient":
        return frozenset(_values(condition, "_id")) if criterion.parameter.code == "_id" else None
    if not parameters.compartment:
        return None
    foremost = _stored(parameters, parameters.compartment[0])
    if foremost is None or _stored(parameters, criterion.parameter.code) != foremost:
        return None
    prefix = f"{foremost}|{_PATIENT}"
    named = _values(condition, "t")
    if not named or not all(isinstance(term, str) and term.startswith(prefix) for term in named):
        return None
    return frozenset(term.removeprefix(prefix).partition("/")[0] for term in named)


def names_the_patient(parameters: Parameters, code: str) -> bool:
    """Whether a Patient to whom the parameter leads is the `pat` of the resource: see `pinned`."""
    if not parameters.compartment:
        return False
    foremost = _stored(parameters, parameters.compartment[0])
    return foremost is not None and _stored(parameters, code) == foremost


def _stored(parameters: Parameters, code: str) -> str | None:
    """The parameter of one value at most whose terms answer another; None when there is no such."""
    sources: tuple[Source, ...] = parameters.offered[code].sources
    if len(sources) != 1 or not parameters.offered[sources[0].code].single:
        return None
    return sources[0].code


def _values(condition: Predicate, field: str) -> tuple[Any, ...]:
    if isinstance(condition, Eq) and condition.field == field:
        return (condition.value,)
    return condition.values if isinstance(condition, In) and condition.field == field else ()
