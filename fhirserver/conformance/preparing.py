"""People and places that the suites need, made on a server of one's own: new ones each time, with test identities.

holder (`patient`)      cared for by `physician`; `other-physician` has no basis to see the record, but as `emergency`
other (`other-patient`)  somebody else, of whom nobody above may learn
child                   whose record `representative` acts for
hospital, laboratory    systems with a FINESS number each; `feeding` is the hospital, when it is about to deposit
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fhirserver import jsontext
from fhirserver.conformance import backend
from fhirserver.conformance.backend import BackendError
from fhirserver.conformance.operating import JSON
from fhirserver.conformance.wire import Wire, WireError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

V2_0203: Final = "https://hl7.fr/ig/fhir/core/CodeSystem/fr-core-cs-v2-0203"
INS_TEST: Final = "urn:oid:1.2.250.1.213.1.4.10"
"""Identifiers that stand for nobody (INS-NIR, test)."""
RPPS, FINESS = "https://rpps.esante.gouv.fr", "https://finess.esante.gouv.fr"
PHYSICIAN: Final = "G15_10"


class Role(NamedTuple):
    """Whom a token is to stand for: the options of `fhirserver token` but for the dashes."""

    kind: str
    value: str = ""
    profession: str | None = None
    organization: str | None = None
    emergency: str | None = None
    """Why the glass is broken (purpose of use BTG)."""
    purpose: str | None = None


class PreparingError(RuntimeError):
    """What the server did not take."""


def prepare(base: str, mint: Callable[[Role], str]) -> dict[str, Any]:
    """`{"tokens": {role: token}, "variables": {…}, "client": {id, key}}`, as `conformance run --roles` takes it.

    `mint` makes the token of a role. Raises PreparingError or WireError.
    """
    numbers = {"physicianRpps": _rpps(), "otherPhysicianRpps": _rpps()}
    numbers |= {"hospitalFiness": _digits(9), "laboratoryFiness": _digits(9)}
    people = {name: _person(name, *facts) for name, facts in _PEOPLE.items()}
    entries = [_entry(f"urn:uuid:{_uuid(name)}", each) for name, each in _places(numbers).items()]
    entries += [_entry(f"urn:uuid:{_uuid(name)}", each) for name, each in people.items()]
    entries += [_entry(f"urn:uuid:{_uuid('care')}", _care()), _entry(f"urn:uuid:{_uuid('parent')}", _parent())]
    operator = mint(Role("operator"))
    ids = _stored(base, operator, entries)
    variables = {f"{name}Id": id_ for name, id_ in ids.items()} | numbers
    for name, each in people.items():
        variables |= {f"{name}Ins": each["identifier"][0]["value"], f"{name}Family": each["name"][0]["family"]}
        variables |= {f"{name}BirthDate": each["birthDate"], f"{name}Given": each["name"][0]["given"][0]}
        variables |= {f"{name}Birth": each["birthDate"].replace("-", "")}
    tokens = {name: mint(role) for name, role in _roles(variables).items()}
    client = _registered(base, operator, numbers["hospitalFiness"])
    return {"tokens": tokens, "variables": variables, "client": client}


_PEOPLE: Final[Mapping[str, tuple[str, str]]] = {
    "patient": ("female", "198"),
    "otherPatient": ("male", "197"),
    "child": ("female", "201"),
}
"""Sex, and the beginning of the year of birth."""
_NAMES: Final = (
    "patient",
    "otherPatient",
    "child",
    "physician",
    "otherPhysician",
    "hospital",
    "laboratory",
    "parent",
    "care",
)


def _roles(variables: Mapping[str, str]) -> dict[str, Role]:
    hospital, laboratory = variables["hospitalFiness"], variables["laboratoryFiness"]
    return {
        "operator": Role("operator"),
        "patient": Role("patient", variables["patientId"]),
        "other-patient": Role("patient", variables["otherPatientId"]),
        "representative": Role("representative", variables["childId"]),
        "physician": Role("practitioner", variables["physicianRpps"], PHYSICIAN),
        "other-physician": Role("practitioner", variables["otherPhysicianRpps"], PHYSICIAN),
        "emergency": Role("practitioner", variables["otherPhysicianRpps"], PHYSICIAN, emergency="essai"),
        "hospital": Role("system", f"hospital-{hospital}", organization=hospital),
        "feeding": Role("system", f"hospital-{hospital}", organization=hospital, purpose="RECORDMGT"),
        "laboratory": Role("system", f"laboratory-{laboratory}", organization=laboratory),
    }


def _registered(base: str, operator: str, finess: str) -> dict[str, Any]:
    """A backend service that acts for this establishment: its id and its private key."""
    key = backend.new_key()
    said = {
        "client_name": "Essai de conformité",
        "grant_types": ["client_credentials"],
        "token_endpoint_auth_method": "private_key_jwt",
        "scope": backend.SCOPE,
        "jwks": {"keys": [backend.public(key)]},
    }
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    found = backend.configuration(base)
    made = _taken("POST", str(found.get("registration_endpoint")), headers, said, 201)
    headers["Authorization"] = f"Bearer {operator}"
    register = f"{base.removesuffix('/fhir')}/catalogue/api/clients/{made['client_id']}"
    _taken("PUT", register, headers, {"organization": finess}, 200)
    return {"id": made["client_id"], "key": key}


def _taken(method: str, url: str, headers: Mapping[str, str], body: object, expected: int) -> dict[str, Any]:
    """Sends JSON, which the server must take. Raises PreparingError."""
    wire = Wire()
    try:
        answer = wire.send(method, url, headers, jsontext.dump(body)).answer
    finally:
        wire.close()
    if answer.status != expected:
        raise PreparingError(f"the server answered {answer.status}: {answer.content[:500].decode(errors='replace')}")
    return jsontext.parse_object(answer.content)


def _stored(base: str, token: str, entries: list[dict[str, Any]]) -> dict[str, str]:
    """Stores all of it at once; the ids by name."""
    body = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
    headers = {"Authorization": f"Bearer {token}", "Content-Type": JSON, "Accept": JSON}
    made = _taken("POST", base, headers, body, 200)["entry"]
    named = {_uuid(name): name for name in _NAMES}
    found = {}
    for entry, told in zip(entries, made, strict=True):
        found[named[entry["fullUrl"].rpartition(":")[2]]] = told["response"]["location"].split("/_history")[0]
    return {name: place.rpartition("/")[2] for name, place in found.items()}


def _places(numbers: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Who cares, and where."""
    made: dict[str, dict[str, Any]] = {}
    for name, family in (("physician", "CONFORME"), ("otherPhysician", "AILLEURS")):
        made[name] = {
            "resourceType": "Practitioner",
            "identifier": [_identifier("RPPS", RPPS, numbers[f"{name}Rpps"])],
            "active": True,
            "name": [{"family": family, "given": ["Dominique"]}],
        }
    for name, title in (("hospital", "Hôpital d’essai"), ("laboratory", "Laboratoire d’essai")):
        made[name] = {
            "resourceType": "Organization",
            "identifier": [_identifier("FINEG", FINESS, numbers[f"{name}Finess"])],
            "active": True,
            "name": title,
        }
    return made


def _person(name: str, sex: str, decade: str) -> dict[str, Any]:
    birth = f"{decade}{_digits(1)}-0{1 + secrets.randbelow(9)}-1{_digits(1)}"
    return {
        "resourceType": "Patient",
        "identifier": [{"use": "official", **_identifier("INS-NIR-TEST", INS_TEST, _nir(sex, birth))}],
        "active": True,
        "name": [{"use": "official", "family": f"ESSAI{secrets.token_hex(4).upper()}", "given": [name.capitalize()]}],
        "gender": sex,
        "birthDate": birth,
    }


def _care() -> dict[str, Any]:
    return {
        "resourceType": "CareTeam",
        "status": "active",
        "subject": {"reference": f"urn:uuid:{_uuid('patient')}"},
        "participant": [{"member": {"reference": f"urn:uuid:{_uuid('physician')}"}}],
    }


def _parent() -> dict[str, Any]:
    return {
        "resourceType": "RelatedPerson",
        "active": True,
        "patient": {"reference": f"urn:uuid:{_uuid('child')}"},
        "name": [{"family": "ESSAI", "given": ["Parent"]}],
    }


def _identifier(code: str, system: str, value: str) -> dict[str, Any]:
    return {"type": {"coding": [{"system": V2_0203, "code": code}]}, "system": system, "value": value}


def _entry(url: str, resource: dict[str, Any]) -> dict[str, Any]:
    return {"fullUrl": url, "resource": resource, "request": {"method": "POST", "url": resource["resourceType"]}}


def _uuid(name: str) -> str:
    return f"00000000-0000-4000-8000-{_NAMES.index(name):012}"


def _digits(count: int) -> str:
    return "".join(str(secrets.randbelow(10)) for _ in range(count))


def _nir(sex: str, birth: str) -> str:
    """A matricule that agrees with sex and birth date, with its key (97 less the remainder by 97)."""
    body = f"{'2' if sex == 'female' else '1'}{birth[2:4]}{birth[5:7]}75{_digits(3)}{_digits(3)}"
    return f"{body}{97 - int(body) % 97:02}"


def _rpps() -> str:
    """Eleven digits that Luhn's sum holds for."""
    body = f"1{_digits(9)}"
    doubled = (int(digit) * (1 + (place % 2 == 0)) for place, digit in enumerate(reversed(body)))
    return f"{body}{-sum(each - 9 * (each > 9) for each in doubled) % 10}"


__all__ = ["BackendError", "PreparingError", "Role", "WireError", "prepare"]
