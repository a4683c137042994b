"""A trace as a syslog message (RFC 5424) that holds an audit message of DICOM (PS3.15, A.5), as ITI-20 asks; or the
AuditEvent itself as JSON."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final
from xml.etree.ElementTree import Element, SubElement, tostring

from fhirserver import jsontext

if TYPE_CHECKING:
    from collections.abc import Mapping

Row = dict[str, Any]

PRIORITY: Final = 10 * 8 + 5
"""Facility 10, security and authorisation; severity 5, normal but significant."""
APPLICATION: Final = "fhirserver"
_BOM: Final = b"\xef\xbb\xbf"
_UNSAYABLE: Final = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]|&#6553[45];")
"""Characters that XML 1.0 cannot hold, which a name may: the message would be thrown away."""
_NAMES: Final = {"rest": "RESTful Operation", "110114": "User Authentication", "110106": "Export", "110107": "Import"}
_SYSTEMS: Final = {"http://dicom.nema.org/resources/ontology/DCM": "DCM"}


def message(event: Row, host: str, *, dicom: bool) -> bytes:
    """The message of an AuditEvent (R4, as `audit.rendering` makes it), without its frame."""
    content = _BOM + _UNSAYABLE.sub(b"?", tostring(_xml(event))) if dicom else jsontext.dump(event)
    kind = "IHE+RFC-3881" if dicom else "FHIR+AuditEvent"
    head = f"<{PRIORITY}>1 {event['recorded']} {_plain(host)} {APPLICATION} - {kind} - "
    return head.encode("ascii") + content


def framed(content: bytes) -> bytes:
    """The message with its length in octets before it (RFC 5425, 4.3)."""
    return f"{len(content)} ".encode("ascii") + content


def _plain(host: str) -> str:
    return "".join(each for each in host if 33 <= ord(each) <= 126)[:255] or "-"


def _xml(event: Row) -> Element:
    """The elements in the order of the schema."""
    made = Element("AuditMessage")
    head = {
        "EventActionCode": event["action"],
        "EventDateTime": event["recorded"],
        "EventOutcomeIndicator": event["outcome"],
    }
    identification = SubElement(made, "EventIdentification", head)
    _code(identification, "EventID", event["type"])
    for each in event.get("subtype", ()):
        _code(identification, "EventTypeCode", each)
    for each in event.get("purposeOfEvent", ()):
        _code(identification, "PurposeOfUse", each["coding"][0])
    for agent in event["agent"]:
        _participant(made, agent)
    source = SubElement(made, "AuditSourceIdentification", {"AuditSourceID": _name(event["source"]["observer"])})
    for each in event["source"].get("type", ()):
        SubElement(source, "AuditSourceTypeCode", _coded(each))
    for entity in event.get("entity", ()):
        _object(made, entity)
    return made


def _participant(parent: Element, agent: Row) -> None:
    network = agent.get("network", {})
    told = {
        "UserID": _name(agent.get("who", {})) or agent.get("altId", "unknown"),
        "AlternativeUserID": agent.get("altId"),
        "UserName": agent.get("name"),
        "UserIsRequestor": str(agent["requestor"]).lower(),
        "NetworkAccessPointID": network.get("address"),
        "NetworkAccessPointTypeCode": network.get("type"),
    }
    made = SubElement(parent, "ActiveParticipant", _there(told))
    for each in (agent.get("type"), *agent.get("role", ())):
        for coding in each["coding"] if each else ():
            _code(made, "RoleIDCode", coding)


def _object(parent: Element, entity: Row) -> None:
    what, type_, role = entity.get("what", {}), entity["type"]["code"], entity.get("role", {}).get("code")
    patient = role == "1"
    told = {
        "ParticipantObjectID": _name(what) or "query",
        "ParticipantObjectTypeCode": type_ if type_ in ("1", "2", "3") else "4",
        "ParticipantObjectTypeCodeRole": role,
    }
    made = SubElement(parent, "ParticipantObjectIdentification", _there(told))
    kind = ("2", "RFC-3881", "Patient Number") if patient else ("10", "RFC-3881", "Search Criteria")
    if not patient and what:
        kind = ("12", "RFC-3881", "URI")
    codes = dict(zip(("csd-code", "codeSystemName", "originalText"), kind, strict=True))
    SubElement(made, "ParticipantObjectIDTypeCode", codes)
    if "query" in entity:
        SubElement(made, "ParticipantObjectQuery").text = entity["query"]
    else:
        SubElement(made, "ParticipantObjectName").text = told["ParticipantObjectID"]


def _name(reference: Mapping[str, Any]) -> str:
    identifier = reference.get("identifier", {}).get("value")
    return str(identifier or reference.get("reference") or reference.get("display") or "")


def _code(parent: Element, name: str, coding: Row) -> None:
    SubElement(parent, name, _coded(coding))


def _coded(coding: Row) -> dict[str, str]:
    code, system = coding["code"], coding["system"]
    name = _SYSTEMS.get(system, system)
    return {"csd-code": code, "codeSystemName": name, "originalText": _NAMES.get(code, code)}


def _there(told: Mapping[str, str | None]) -> dict[str, str]:
    return {name: value for name, value in told.items() if value}
