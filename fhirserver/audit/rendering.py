"""A trace as an AuditEvent (R4), after the patterns of IHE BALP (`IHE.BasicAudit.*`), for who may see so much of it."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from fhirserver.audit import tables
from fhirserver.audit.record import written
from fhirserver.clock import to_instant
from fhirserver.spec.systems import ACT_REASON, ROLE_CLASS

if TYPE_CHECKING:
    from fhirserver.audit.sight import Sight

Row = dict[str, Any]


def rendered(record: Row, sight: Sight, base: str) -> Row:
    """The AuditEvent. It claims a profile of BALP where it keeps to it: an interaction that went well, with an address,
    and of one patient at most."""
    pattern = tables.PATTERNS.get(record["what"], tables.OTHER)
    at = to_instant(record["at"])
    purpose = [{"coding": [{"system": ACT_REASON, "code": record["purpose"]}]}]
    made = {
        "resourceType": "AuditEvent",
        "id": record["_id"],
        "meta": {"versionId": "1", "lastUpdated": at},
        "type": _coding(tables.event_type(record["what"])),
        "subtype": [_coding(tables.subtype(record["what"]))],
        "action": pattern.action,
        "period": {"start": at},
        "recorded": at,
        "outcome": tables.outcome(record["status"]),
        "purposeOfEvent": purpose,
        "agent": _agents(record, pattern, base),
        "source": {"observer": _server(base), "type": [_coding((tables.SOURCES, "4"))]},
    }
    if claimed := profiles(record, sight):
        made["meta"]["profile"] = claimed
    if entities := _entities(record, sight):
        made["entity"] = entities
    return made


def profiles(record: Row, sight: Sight) -> list[str]:
    """The profiles that the AuditEvent keeps to."""
    name = tables.PATTERNS.get(record["what"], tables.OTHER).profile
    if not name or record["status"] >= 400 or "addr" not in record:
        return []
    if name == "Query" and sight.query(record) is None:
        return []
    if name != "Query" and ("many" in record or not sight.entities(record)):
        return []
    patients = sight.patients(record)
    return [] if len(patients) > 1 else [f"{tables.BALP}{'Patient' if patients else ''}{name}"]


def _agents(record: Row, pattern: tables.Pattern, base: str) -> list[Row]:
    who = record["who"]
    client: Row = {"type": _concept(pattern.client), "who": _client(who), "requestor": who["kind"] == "system"}
    if who["kind"] == "system":
        client |= {"altId": who["id"]}
    if "addr" in record:
        client["network"] = {"address": written(record["addr"]), "type": "2"}
    server = {
        "type": _concept(pattern.server),
        "who": _server(base),
        "requestor": False,
        "network": {"address": base, "type": "5"},
    }
    found = [] if who["kind"] == "system" else [_user(record, pattern)]
    found += [client, server]
    if "organization" in who:
        organization = {"type": "Organization", "identifier": {"system": tables.FINESS, "value": who["organization"]}}
        found.append({"type": _concept((ROLE_CLASS, "PROV")), "who": organization, "requestor": False})
    if "delegate" in who:
        found.append(_delegate(who["delegate"]))
    return found


def _user(record: Row, pattern: tables.Pattern) -> Row:
    who = record["who"]
    reason: Row = {"coding": [{"system": ACT_REASON, "code": record["purpose"]}]}
    if "reason" in record:
        reason["text"] = record["reason"]
    made: Row = {"type": _concept(pattern.user)}
    if roles := tables.roles(who.get("profession")):
        made["role"] = [{"coding": [_coding(each) for each in roles]}]
    person: Row = {"reference": who["ref"]} if "ref" in who else {}
    if "rpps" in who:
        person |= {"type": "Practitioner", "identifier": {"system": tables.RPPS, "value": who["rpps"]}}
    if person:
        made["who"] = person
    made["altId"] = who["id"]
    if "name" in who:
        made["name"] = written(who["name"])
    return made | {"requestor": True, "purposeOfUse": [reason]}


def _delegate(who: Row) -> Row:
    """Who acted in the professional's place."""
    made: Row = {"type": _concept((ROLE_CLASS, "AGNT"))}
    if "rpps" in who:
        made["who"] = {"type": "Practitioner", "identifier": {"system": tables.RPPS, "value": who["rpps"]}}
    made["altId"] = who["id"]
    if "name" in who:
        made["name"] = written(who["name"])
    return made | {"requestor": False}


def _client(who: Row) -> Row:
    if "client" not in who:
        return {"type": "Device", "display": "unknown"}
    return {"type": "Device", "identifier": {"system": tables.CLIENT, "value": who["client"]}}


def _server(base: str) -> Row:
    return {"type": "Device", "identifier": {"system": tables.URI, "value": base}}


def _entities(record: Row, sight: Sight) -> list[Row]:
    found = [_entity(tables.PATIENT, f"Patient/{each}") for each in sight.patients(record)]
    for each in sight.entities(record):
        version = f"/_history/{each['v']}" if "v" in each else ""
        found.append(_entity(tables.DATA, each["r"] + version))
    if query := sight.query(record):
        type_, role = map(_coding, tables.QUERY)
        found.append({"type": type_, "role": role, "query": base64.b64encode(query.encode()).decode()})
    if "req" in record:
        found.append({"what": {"identifier": {"value": record["req"]}}, "type": _coding(tables.REQUEST)})
    return found


def _entity(kind: tuple[tables.Code, tables.Code], reference: str) -> Row:
    type_, role = map(_coding, kind)
    return {"what": {"reference": reference}, "type": type_, "role": role}


def _concept(code: tables.Code) -> Row:
    return {"coding": [_coding(code)]}


def _coding(code: tables.Code) -> Row:
    return {"system": code[0], "code": code[1]}
