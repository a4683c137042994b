"""The published catalogue of queries, some with the bare aggregation that answers them (docs/benchmarks.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from bench import population

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pymongo.database import Database

    Bare = Callable[[Database[dict[str, Any]], int], object]

Row = dict[str, Any]
PAGE: Final = 50
_CODES: Final = ",".join(f"{population.LOINC}|{number}-1" for number in range(200))
_BODY: Final = {"$project": {"r": 1, "z": 1}}


class Query(NamedTuple):
    """A search below the base, for the patient `{p}` (id) or `{n}` (number), of the code `{code}`, or of 200 `{codes}`.

    `scoped`: of one patient's record; `bare`: what answers it by pymongo alone, where it is measured.
    """

    name: str
    search: str
    scoped: bool = True
    bare: Bare | None = None

    def of(self, number: int) -> str:
        return self.search.format(p=f"p{number}", n=number, code=population.code(number, 3), codes=_CODES)


def _page(db: Database[Row], type: str, where: Iterable[Row]) -> list[Row]:
    """A page in the order of ids, with the total."""
    page: list[Row] = [{"$sort": {"_id": 1}}, {"$limit": PAGE + 1}, _BODY]
    facets = {"$facet": {"page": page, "n": [{"$count": "n"}]}}
    (found,) = db[type].aggregate([*({"$match": each} for each in where), facets]).to_list()
    rows: list[Row] = found["page"]
    return rows


def _code(number: int) -> Row:
    return {"t": f"code|{population.LOINC}|{population.code(number, 3)}"}


def _family(db: Database[Row]) -> list[str]:
    found = db["Practitioner"].aggregate([{"$match": {"t": {"$regex": "^family\\^aubry"}}}, {"$project": {"_id": 1}}])
    return [row["_id"] for row in found]


def _by_patient(db: Database[Row], number: int) -> object:
    return _page(db, "Observation", [{"pat": f"p{number}"}])


def _three(db: Database[Row], number: int) -> object:
    beyond = {"d.date": {"$elemMatch": {"hi": {"$gt": 1609459200000000}}}}
    within = {"d.date": {"$elemMatch": {"lo": {"$gte": 1577836800000000}}}}
    start = {"$or": [beyond, within]}
    return _page(db, "Observation", [{"pat": f"p{number}", **_code(number)}, {"t": "status|=|final"}, start])


def _chain(db: Database[Row], number: int) -> object:
    named = [f"performer|Practitioner/{each}" for each in _family(db)]
    return _page(db, "Observation", [{"pat": f"p{number}"}, {"t": {"$in": named}}])


def _chain_to_patient(db: Database[Row], number: int) -> object:
    term = f"identifier|{population.SYSTEM}|{number}"
    (found,) = db["Patient"].aggregate([{"$match": {"t": term}}, {"$project": {"_id": 1}}]).to_list()
    return _page(db, "Observation", [{"pat": found["_id"], **_code(number)}])


def _include(db: Database[Row], number: int) -> object:
    where = {"$match": {"pat": f"p{number}"}}
    stages: list[Row] = [where, {"$sort": {"_id": 1}}, {"$limit": PAGE + 1}, {"$project": {"r": 1, "z": 1, "t": 1}}]
    rows = db["Observation"].aggregate(stages).to_list()
    terms = {term for row in rows for term in row["t"] if term.startswith("performer|")}
    ids = sorted(term.rpartition("/")[2] for term in terms)
    return db["Practitioner"].aggregate([{"$match": {"_id": {"$in": ids}}}, _BODY]).to_list()


def _has(db: Database[Row], number: int) -> object:
    found = db["Observation"].aggregate([{"$match": {"pat": f"p{number}", **_code(number)}}, {"$limit": 1}]).to_list()
    return _page(db, "Patient", [{"_id": {"$in": [f"p{number}"] if found else []}}])


def _count(db: Database[Row], number: int) -> object:
    return db["Observation"].aggregate([{"$match": {"pat": f"p{number}"}}, {"$count": "n"}]).to_list()


def _across(db: Database[Row], number: int) -> object:
    own = {"pat": {"$in": [f"p{each}" for each in range(2 * population.OWN)]}}
    return _page(db, "Observation", [_code(number), own])


MEASURED: Final = (
    Query("patient, 1 criterion", "Observation?patient={p}", bare=_by_patient),
    Query(
        "patient, 3 criteria",
        "Observation?patient={p}&code=http://loinc.org|{code}&status=final&date=ge2020",
        bare=_three,
    ),
    Query("chain", "Observation?patient={p}&performer:Practitioner.family=aubry", bare=_chain),
    Query(
        "chain to the patient",
        "Observation?patient.identifier=urn:oid:1.2.3.4|{n}&code=http://loinc.org|{code}",
        bare=_chain_to_patient,
    ),
    Query("_include", "Observation?patient={p}&_include=Observation:performer&_total=none", bare=_include),
    Query("_has", "Patient?_id={p}&_has:Observation:patient:code=http://loinc.org|{code}", bare=_has),
    Query("count", "Observation?patient={p}&_summary=count", bare=_count),
    Query("code, all patients", "Observation?code=http://loinc.org|{code}", scoped=False, bare=_across),
    Query("200 codes", "Observation?patient={p}&code={codes}"),
)

CATALOGUE: Final = (
    *MEASURED,
    Query("record of a type", "Condition?patient={p}"),
    Query("two codes", "Observation?patient={p}&code=http://loinc.org|{code},http://loinc.org|1-1"),
    Query("latest first", "Observation?patient={p}&_sort=-date&_count=10"),
    Query("by date", "Observation?patient={p}&date=ge2024-01-01&date=lt2025-01-01"),
    Query("by value", "Observation?patient={p}&value-quantity=gt12.6"),
    Query("since", "Observation?patient={p}&_lastUpdated=ge2026-01-01"),
    Query("category and status", "Observation?patient={p}&category=laboratory&status=final"),
    Query("what is not", "Observation?patient={p}&code:not=http://loinc.org|{code}"),
    Query("text", "Condition?patient={p}&code:text=diab"),
    Query("_revinclude", "Encounter?patient={p}&_revinclude=Observation:encounter"),
    Query(
        "_include:iterate",
        "Observation?patient={p}&_include=Observation:encounter&_include:iterate=Encounter:subject",
    ),
    Query("chain within the record", "Observation?patient={p}&encounter:Encounter.class=AMB"),
    Query("compartment", "Patient/{p}/Observation?code=http://loinc.org|{code}"),
    Query("identifier", "Patient?identifier=urn:oid:1.2.3.4|{n}", scoped=False),
    Query("name", "Patient?family=aubry", scoped=False),
    Query("birth date", "Patient?birthdate=1950-01-01", scoped=False),
    Query("_has, all patients", "Patient?_has:Observation:patient:code=http://loinc.org|{code}", scoped=False),
    Query("chain, all patients", "Observation?performer:Practitioner.identifier=10000000018&code=1-1", scoped=False),
)
