"""Query string -> Query, strictly: what is unknown, empty, repeated or misspelt is refused and named
(https://hl7.org/fhir/R4/search.html)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from difflib import get_close_matches
from functools import lru_cache, reduce
from typing import TYPE_CHECKING, Final, NamedTuple
from zoneinfo import ZoneInfo

from fhirserver.errors import BadRequest, UnknownParameter
from fhirserver.predicate import FALSE, Eq
from fhirserver.search import dates, extract, filtering, includes, joins, results, words
from fhirserver.search.asked import Asker
from fhirserver.search.criteria import Criterion, compile_criterion
from fhirserver.search.index import own_bases
from fhirserver.search.parameters import catalogue
from fhirserver.search.patients import pinned
from fhirserver.search.query import Chosen, Query, Words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from fhirserver.predicate import Predicate
    from fhirserver.search.asked import Codes
    from fhirserver.search.parameters import Parameters
    from fhirserver.search.query import Include, Join
    from fhirserver.spec import Definitions

MOST_VALUES: Final = 500
"""Values, over all criteria."""
MOST_CRITERIA: Final = 50
MOST_SEARCHES: Final = 150
"""Searches of other types that the chains of a search may lead to: enough for one step to any type."""
MOST_TRIES: Final = 2000
MOST_STEPS: Final = 100
FILTER: Final = "_filter"
WITHOUT_TERMS: Final = frozenset({FILTER, *words.FIELDS})
"""Parameters of all types that are read by themselves."""
LONGEST: Final = 20_000
"""Characters of all names and values together."""

NOT_OFFERED: Final = {
    "_query": "named queries are not",
    "_contained": "what is contained has no search entries of its own, and is not found by itself",
    "_containedType": "what is contained has no search entries of its own, and is not found by itself",
    "_type": "it is for searches over several types, GET [base]?_type=Observation,Condition",
    "_score": "scores are not",
}


class Known(NamedTuple):
    """What parsing needs of some definitions."""

    sensitive: Callable[[str], bool]
    resource_types: frozenset[str]


@lru_cache(maxsize=8)
def known(defs: Definitions) -> Known:
    """What parsing needs of some definitions, kept with them."""
    return Known(extract.sensitivity(defs), frozenset(defs.resource_types))


def parse(
    defs: Definitions,
    resource_type: str,
    params: Iterable[tuple[str, str]],
    *,
    lenient: bool = False,
    timezone: str = "UTC",
    base_url: str | Iterable[str] = (),
    now: datetime | None = None,
    compartment: tuple[str, str] | None = None,
    codes: Codes | None = None,
) -> Query:
    """The query of a search by type. `base_url` is what absolute references to this server begin with; `now` is where
    `ap` measures from on dates; `compartment`: type and id of the owner of the compartment that is searched;
    `codes`: the terminology, without which `:in`, `:not-in`, `:above` and `:below` are not offered for tokens.

    Raises UnknownParameter for a parameter or modifier that is not offered (with `lenient`, unknown parameters are
    recorded in `ignored`) and BadRequest for a value that cannot be understood, both naming the parameter.
    """
    params = tuple((name, value) for name, value in params if name not in results.PRESENTATION)
    _check_size(params)
    sensitive, types = known(defs)
    parameters = catalogue(defs).of(resource_type)
    shape = results.read(defs, parameters, ((name, value) for name, value in params if name in results.NAMES))
    moment = dates.micros(now or datetime.now(UTC))
    asker = Asker(sensitive, ZoneInfo(timezone), own_bases(base_url), moment, types, codes)
    ignored: list[str] = []
    asked = [(name, value) for name, value in params if name not in results.NAMES and not includes.is_include(name)]
    found = _Reader(defs, asker).query(resource_type, asked, ignored if lenient else None)
    if compartment is not None:
        found = joins.within(defs, parameters, found, *compartment, asker)
    return replace(
        found,
        includes=_includes(defs, resource_type, params, shape.summary),
        params=tuple(item for item in params if item[0] not in ignored),
        ignored=tuple(dict.fromkeys(ignored)),
        **vars(shape),
    )


class _Reader:
    """Reads criteria, those within chains too, of which there may be a number."""

    def __init__(self, defs: Definitions, asker: Asker) -> None:
        self._defs, self._asker = defs, asker
        self._searches = self._tries = self._depth = 0

    def query(self, resource_type: str, params: Iterable[tuple[str, str]], ignored: list[str] | None = None) -> Query:
        """The query of criteria alone. With `ignored`, unknown parameters are put there instead of refused."""
        parameters = catalogue(self._defs).of(resource_type)
        criteria: list[Criterion] = []
        found: list[Join] = []
        filtered: list[Query] = []
        for name, value in params:
            try:
                if name == FILTER:
                    filtered.append(self._filtered(resource_type, value))
                elif name in words.FIELDS:
                    found.append(_words(parameters, name, value))
                elif (name, value) == ("_contained", "false"):
                    continue
                elif joins.is_join(name):
                    found.append(self._join(parameters, name, value))
                else:
                    criteria.append(_criterion(parameters, name, value))
            except UnknownParameter:
                if ignored is None:
                    raise
                ignored.append(name)
        where, patients, chosen = _conditions(parameters, criteria, self._asker)
        query = Query(resource_type, tuple(where), patients, joins=(*found, *chosen))
        return reduce(filtering.both, filtered, query)

    def _filtered(self, resource_type: str, value: str) -> Query:
        if not value:
            raise BadRequest(f"The parameter {FILTER} has an empty value.")
        try:
            return filtering.Filtering(self._defs, self._asker, self._inner).query(resource_type, value)
        except BadRequest as error:
            if FILTER in error.text:
                raise
            raise type(error)(f"The parameter {FILTER}: {error.text}", code=error.issues[0].code) from None

    def _join(self, parameters: Parameters, name: str, value: str) -> Join:
        try:
            return joins.read(self._defs, parameters, name, value, self._inner)
        except BadRequest as error:
            if name in error.text or error.issues[0].code == "too-costly":
                raise
            raise type(error)(f"The parameter {name}: {error.text}", code=error.issues[0].code) from None

    def _inner(self, resource_type: str, name: str, value: str) -> Query:
        """The search of one step. A type that has not the parameter is tried, but not counted among the searches."""
        self._tries, self._searches, self._depth = self._tries + 1, self._searches + 1, self._depth + 1
        if self._searches > MOST_SEARCHES or self._tries > MOST_TRIES or self._depth > MOST_STEPS:
            raise BadRequest(
                f"The chains lead to more than {MOST_SEARCHES} searches: say which type is meant at each step "
                "(subject:Patient.name).",
                code="too-costly",
            )
        try:
            return self.query(resource_type, [(name, value)])
        except UnknownParameter:
            self._searches -= 1
            raise
        finally:
            self._depth -= 1


def _words(parameters: Parameters, name: str, value: str) -> Words:
    scoped = parameters.type == "Patient" or bool(parameters.compartment)
    return Words(name, words.asked(name, value), scoped)


def _includes(
    defs: Definitions, resource_type: str, params: Iterable[tuple[str, str]], summary: str | None
) -> tuple[Include, ...]:
    given = dict.fromkeys((name, value) for name, value in params if includes.is_include(name))
    if given and summary == "text":
        raise BadRequest("_summary=text cannot be asked for together with _include or _revinclude.")
    return tuple(includes.read(defs, resource_type, name, value) for name, value in given)


def _conditions(
    parameters: Parameters, criteria: Iterable[Criterion], asker: Asker
) -> tuple[list[Predicate], frozenset[str] | None, list[Chosen]]:
    """What all hold, and the patients that the search is limited to: a single one is itself a condition."""
    where: list[Predicate] = []
    chosen: list[Chosen] = []
    patients: frozenset[str] | None = None
    for criterion in criteria:
        compiled = compile_criterion(criterion, asker)
        if isinstance(compiled, Chosen):
            chosen.append(compiled)
            continue
        where.append(compiled)
        limited = pinned(parameters, criterion, compiled)
        if limited is not None:
            patients = limited if patients is None else patients & limited
    if patients is not None and not patients:
        where = [FALSE]
    elif patients is not None and len(patients) == 1 and parameters.type != "Patient":
        where.insert(0, Eq("pat", *patients))
    return where, patients, chosen


def _check_size(params: Sequence[tuple[str, str]]) -> None:
    values = 0
    length = 0
    for name, value in params:
        if "\x00" in name or "\x00" in value:
            raise BadRequest(f"The parameter {name.partition(chr(0))[0]} holds a NUL character.")
        values += value.count(",") + 1
        length += len(name) + len(value)
    for amount, most, what in (
        (len(params), MOST_CRITERIA, "parameters"),
        (values, MOST_VALUES, "values"),
        (length, LONGEST, "characters"),
    ):
        if amount > most:
            raise BadRequest(
                f"The search has more than {most} {what}: divide it into several searches.", code="too-costly"
            )


def _criterion(parameters: Parameters, name: str, value: str) -> Criterion:
    """The criterion of a parameter. Raises UnknownParameter when there is no such."""
    code, colon, modifier = name.partition(":")
    found = parameters.offered.get(code)
    if found is None or "." in modifier:
        raise UnknownParameter(_unknown(parameters, name, code))
    if not value:
        raise BadRequest(f"The parameter {name} has an empty value.")
    return Criterion(name, found, modifier if colon else None, value)


def _unknown(parameters: Parameters, name: str, code: str) -> str:
    if code in WITHOUT_TERMS:
        return f"The parameter {name} is not offered: {code} takes no modifier."
    if code in NOT_OFFERED:
        return f"The parameter {name} is not offered: {NOT_OFFERED[code]}."
    if code in parameters.refused:
        return f"The parameter {name} is not offered: {parameters.refused[code]}."
    names = sorted({*parameters.offered, *results.NAMES, *includes.NAMES, *WITHOUT_TERMS})
    near = get_close_matches(code, names, n=3)
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    return f"{parameters.type} has no search parameter {name!r}.{hint} It has {', '.join(names)}."
