"""What `GET metadata` lists is done: each interaction, search parameter, include and operation of each type."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

from fhirserver import fhirpath, jsontext
from fhirserver.spec import Definitions
from tests import corpus
from tests.application import FHIR_JSON
from tests.rest.smallest import smallest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fhirserver.spec import SearchParameter
    from tests.application import Application, Caller

pytestmark = pytest.mark.no_cover  # every type by the same code
Listed = dict[str, Any]
TYPES: Final = Definitions.core().resource_types
VALUES: Final = {
    "token": "true", "string": "x", "reference": "Basic/x", "date": "2026-01", "number": "1", "quantity": "1||x",
    "uri": "urn:x",
}  # fmt: skip
SPECIAL: Final = {"_id": "x", "_filter": "_id eq x", "near": "48.8|2.3|1|km"}
PATCHES: Final = {"DocumentReference": {"path": "/status", "value": "superseded"}}
NOT_OFFERED: Final = {"AuditEvent": {"update", "patch", "delete"}, "DocumentReference": {"delete"}}
"""Traces stay as they are; a document is set aside, not deleted."""
NO_VALUES: Final = {
    ("CarePlan", "activity-date"): "a time that is said in words (scheduledString)",
    ("Library", "predecessor"): "a name that leads nowhere, in the place of a canonical",
    ("Subscription", "status"): "the server says it",
}
"""What R4's expressions find in its examples, and is nothing to search by."""
JSON_PATCH: Final = {"Content-Type": "application/json-patch+json"}


@pytest.fixture(scope="module")
def operator(application: Application) -> Caller:
    return application.operator()


@pytest.fixture(scope="module")
def listed(application: Application) -> dict[str, Listed]:
    """What is listed, by type."""
    statement = application.nobody().get("metadata").json
    return {each["type"]: each for each in statement["rest"][0]["resource"]}


@pytest.fixture(scope="module")
def known(operator: Caller) -> None:
    """The person whom those need who are nobody's otherwise."""
    operator.store({"resourceType": "Patient", "id": "x", "active": True})


def _made(type: str) -> dict[str, Any]:
    made = smallest(Definitions.core(), type)
    return made | {"patient": {"reference": "Patient/x"}} if type == "Consent" else made


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize("type", TYPES)
def test_every_interaction_of_every_type(operator: Caller, listed: dict[str, Listed], type: str) -> None:
    codes = [each["code"] for each in listed[type]["interaction"]]
    versions = 1 + ("update" in codes) + ("patch" in codes)
    made = operator.post(type, _made(type))
    assert made.status == 201, made
    id, body, path = made.id, made.json, f"{type}/{made.id}"
    change = {"op": "replace", **PATCHES.get(type, {"path": "/language", "value": "en"})}
    done: dict[str, Callable[[], bool]] = {
        "create": lambda: made.headers["location"].endswith(f"/{path}/_history/1"),
        "read": lambda: operator.get(path, Accept=FHIR_JSON).json["id"] == id,
        "search-type": lambda: operator.search(type, _id=id).ids == [id],
        "update": lambda: operator.put(path, {**body, "language": "fr"}).json["language"] == "fr",
        "patch": lambda: operator.call("PATCH", path, [change], JSON_PATCH).status == 200,
        "vread": lambda: "language" not in operator.get(f"{path}/_history/1", Accept=FHIR_JSON).json,
        "history-instance": lambda: operator.get(f"{path}/_history").total == versions,
        "history-type": lambda: operator.get(f"{type}/_history").ids.count(id) == versions,
        "delete": lambda: (operator.delete(path).status, operator.get(path).status) == (204, 410),
    }
    assert {code: done[code]() for code in done if code in codes} == dict.fromkeys(codes, True)
    assert set(done) - set(codes) == NOT_OFFERED.get(type, set())


def test_conditions_of_interactions_are_what_is_said_of_them(operator: Caller, listed: dict[str, Listed]) -> None:
    said = listed["Basic"]
    flags = ("conditionalCreate", "conditionalUpdate", "conditionalDelete", "conditionalRead", "versioning")
    assert [said[each] for each in flags] == [True, True, "single", "full-support", "versioned-update"]
    basic = {"resourceType": "Basic", "code": {"text": "x"}, "identifier": [{"system": "urn:walk", "value": "1"}]}
    where = "identifier=urn:walk|1"
    first = operator.post("Basic", basic, If_None_Exist=where)
    assert (first.status, operator.post("Basic", basic, If_None_Exist=where).status) == (201, 200)
    assert operator.put(f"Basic?{where}", basic | {"language": "fr"}).json["meta"]["versionId"] == "2"
    path = f"Basic/{first.id}"
    assert operator.get(path, If_None_Match='W/"2"').status == 304
    assert operator.get(path, If_Modified_Since="Sun, 01 Jan 2090 00:00:00 GMT").status in (200, 304)
    assert operator.put(path, basic | {"id": first.id}, If_Match='W/"1"').status == 412
    assert operator.delete(f"Basic?{where}").status == 204
    assert said["updateCreate"] is False
    assert operator.put("Basic/never-was", basic | {"id": "never-was"}).status in (201, 404, 405)


def test_every_interaction_of_the_whole_server(application: Application, operator: Caller) -> None:
    entry = {"request": {"method": "GET", "url": "Basic?_id=none"}}
    done = {
        "transaction": operator.transact(entry).json["type"] == "transaction-response",
        "batch": operator.post("", {"resourceType": "Bundle", "type": "batch", "entry": [entry]}).json["type"]
        == "batch-response",
        "history-system": operator.get("_history?_count=1").json["type"] == "history",
        "search-system": operator.get("?_type=Basic,Flag&_id=none").total == 0,
    }
    statement = application.nobody().get("metadata").json
    assert done == {each["code"]: True for each in statement["rest"][0]["interaction"]}
    for form in statement["format"]:
        assert form in operator.get(f"metadata?_format={form}").headers["content-type"]


@pytest.mark.parametrize("type", TYPES)
def test_every_search_parameter_of_every_type_is_understood(
    operator: Caller, listed: dict[str, Listed], type: str
) -> None:
    """Each with a value of its kind; a few at a time, since a refusal names the one that it is about."""
    own = Definitions.core().search_parameters(type)
    pairs = [(each["name"], _any_value(each, own)) for each in listed[type]["searchParam"]]
    for start in range(0, len(pairs), 24):
        answer = operator.search(type, *pairs[start : start + 24], _summary="count")
        assert answer.status == 200, (pairs[start : start + 24], answer.content)


def _any_value(parameter: Listed, own: Any) -> str:
    if parameter["name"] in SPECIAL:
        return SPECIAL[parameter["name"]]
    if parameter["type"] != "composite":
        return VALUES[parameter["type"]]
    by_url = {each.url: each.type for each in own.values()}
    return "$".join(VALUES[by_url.get(url, "token")] for url, _ in own[parameter["name"]].components)


@pytest.mark.long
@pytest.mark.parametrize("type", TYPES)
def test_every_include_of_every_type_is_understood(operator: Caller, listed: dict[str, Listed], type: str) -> None:
    for name in ("searchInclude", "searchRevInclude"):
        directive = "_include" if name == "searchInclude" else "_revinclude"
        offered = [(directive, each) for each in listed[type].get(name, ())]
        for start in range(0, len(offered), 48):
            answer = operator.search(type, *offered[start : start + 48], _id="none")
            assert answer.status == 200, (offered[start : start + 48], answer.content)


@pytest.mark.corpus("examples-r4")
def test_a_search_parameter_finds_what_has_its_value(operator: Caller, listed: dict[str, Listed]) -> None:
    """Every example of R4 by all that R4's own expressions find in it, all at once; if not, each by itself."""
    lost, tried = [], set()
    for file in sorted(corpus.path("examples-r4").glob("*.json")):
        resource = jsontext.parse_object(file.read_bytes())
        type, id = resource["resourceType"], resource["id"]
        if operator.put(f"{type}/{id}", resource).status != 201:
            continue  # tests/behaviour/test_corpora.py says which R4 itself forbids
        names = {each["name"] for each in listed[type]["searchParam"]} - {"_lastUpdated"}
        pairs = [pair for pair in _found_in(resource) if pair[0] in names and (type, pair[0]) not in NO_VALUES]
        tried |= {(type, name) for name, _ in pairs}
        if pairs and operator.search(type, *pairs, _id=id).ids != [id]:
            lost += [(file.name, *each) for each in pairs if operator.search(type, each, ("_id", id)).ids != [id]]
    assert not lost, lost
    assert len(tried) > 700


def _found_in(resource: dict[str, Any]) -> Iterator[tuple[str, str]]:
    definitions = Definitions.core()
    for name, parameter in definitions.search_parameters(resource["resourceType"]).items():
        for found in _values(definitions, parameter, resource):
            value = _searched(parameter.type, found)
            if value and not (parameter.type == "reference" and value.startswith("#")):
                yield name, value.replace("\\", "\\\\").replace(",", "\\,").replace("$", "\\$")
                break


def _values(definitions: Definitions, parameter: SearchParameter, resource: dict[str, Any]) -> list[Any]:
    if parameter.expression is None or parameter.type not in SEARCHED or "resolve()" in parameter.expression:
        return []
    return list(fhirpath.compile(parameter.expression, None, definitions)(resource))


def _searched(kind: str, found: Any) -> str | None:
    """How an element is asked for: its first coding, its own text, its reference."""
    if not isinstance(found, dict):
        return None if isinstance(found, list) else str(found).lower() if isinstance(found, bool) else str(found)
    return SEARCHED[kind](found)


def _token(found: dict[str, Any]) -> str | None:
    coding = (found.get("coding") or [found])[0]
    code = coding.get("code") or coding.get("value")
    system = coding.get("system", "")
    return None if not code or "text" in coding else f"{system}|{code}" if ":" in system else str(code)


SEARCHED: Final[dict[str, Callable[[dict[str, Any]], str | None]]] = {
    "token": _token,
    "string": lambda found: found.get("family") or found.get("city") or found.get("text"),
    "reference": lambda found: found.get("reference"),
    "date": lambda found: f"ge{found['start']}" if "start" in found else None,
    "uri": lambda _: None,
    "number": lambda _: None,
    "quantity": lambda found: f"{found['value']}||{found['code']}" if {"value", "code"} <= set(found) else None,
}
