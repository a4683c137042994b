"""Patients, professionals, organisations and devices as the roles of CDA."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fhirserver.documents.cda.values import times
from fhirserver.documents.cda.values.people import BIRTH_NAMES, INSEE
from fhirserver.documents.cda.writing.values import cd, ids, ivl
from fhirserver.documents.cda.writing.xml import el

if TYPE_CHECKING:
    from collections.abc import Callable

    from lxml import etree

Resource = dict[str, Any]

_SCHEMES: Final = {"phone": "tel", "fax": "fax", "email": "mailto", "sms": "sms"}
_ADDRESS_USES: Final = {"home": "H", "work": "WP", "temp": "TMP", "old": "BAD"}
_TELECOM_USES: Final = {**_ADDRESS_USES, "mobile": "MC"}
_GENDERS: Final = {"female": ("F", "Féminin"), "male": ("M", "Masculin")}
_BIRTH_PLACE: Final = "http://hl7.org/fhir/StructureDefinition/patient-birthPlace"
GENDER_SYSTEM: Final = "2.16.840.1.113883.5.1"


def patient(resource: Resource) -> etree._Element:
    """recordTarget."""
    code, display = _GENDERS.get(resource.get("gender", ""), ("UN", "Inconnu"))
    person = el(
        "patient",
        el("name", _patient_names(resource.get("name", []))),
        el("administrativeGenderCode", code=code, codeSystem=GENDER_SYSTEM, displayName=display),
        _birth(resource.get("birthDate")),
        _birth_place(resource),
    )
    role = el("patientRole", ids(resource), addresses(resource), telecoms(resource), person)
    return el("recordTarget", role)


def _birth(date: str | None) -> etree._Element:
    return el("birthTime", value=times.write(date)) if date else el("birthTime", nullFlavor="UNK")


def _patient_names(names: list[Resource]) -> list[etree._Element]:
    """Birth name (BR) and used name (SP) in one name, as the CI-SIS wants it."""
    official = next((each for each in names if each.get("use") == "official"), names[0] if names else {})
    usual = next((each for each in names if each.get("use") == "usual"), None)
    parts = [el("prefix", each) for each in official.get("prefix", ())]
    if "family" in official:
        parts.append(el("family", official["family"], qualifier="BR"))
    if usual and "family" in usual and usual["family"] != official.get("family"):
        parts.append(el("family", usual["family"], qualifier="SP"))
    parts += [el("given", each, qualifier="BR") for each in official.get("given", ())]
    listed = [each["valueString"] for each in official.get("extension", ()) if each.get("url") == BIRTH_NAMES]
    parts += [el("given", each) for each in listed]
    if usual and usual.get("given", official.get("given")) != official.get("given"):
        parts += [el("given", each, qualifier="CL") for each in usual["given"]]
    return parts


def _birth_place(resource: Resource) -> etree._Element | None:
    for each in resource.get("extension", ()):
        if each.get("url") == _BIRTH_PLACE and "valueAddress" in each:
            return el("birthplace", el("place", _address("addr", each["valueAddress"])))
    return None


def names(resource: Resource) -> list[etree._Element]:
    """The names of a professional."""
    return [_name(each) for each in resource.get("name", ()) if isinstance(each, dict)]


def _name(name: Resource) -> etree._Element:
    parts = [el(part, text) for part in ("prefix", "given") for text in name.get(part, ())]
    if "family" in name:
        parts.append(el("family", name["family"]))
    parts += [el("suffix", text) for text in name.get("suffix", ())]
    if "period" in name:
        parts.append(ivl("validTime", name["period"]))
    return el("name", parts or name.get("text"), use={"official": "L", "nickname": "P"}.get(name.get("use", "")))


def addresses(resource: Resource) -> list[etree._Element]:
    listed = resource.get("address", [])
    return [_address("addr", each) for each in (listed if isinstance(listed, list) else [listed])]


def _address(name: str, address: Resource) -> etree._Element:
    parts = [el("streetAddressLine", line) for line in address.get("line", ())]
    parts += [el(part, address[part]) for part in ("postalCode", "city", "state", "country") if part in address]
    if "district" in address:
        parts.append(el("county", address["district"]))
    parts += [el("county", each["valueCoding"]["code"]) for each in address.get("extension", ())
              if each.get("url") == INSEE]  # fmt: skip
    use = _ADDRESS_USES.get(address.get("use", ""))
    return el(name, parts or address.get("text"), use=use)


def telecoms(resource: Resource) -> list[etree._Element]:
    listed = resource.get("telecom") or resource.get("contact") or []
    return [_telecom(each) for each in listed if "value" in each]


def _telecom(point: Resource) -> etree._Element:
    scheme = _SCHEMES.get(point.get("system", ""))
    value = f"{scheme}:{point['value']}" if scheme else point["value"]
    return el("telecom", value=value, use=_TELECOM_USES.get(point.get("use", "")))


def organization(name: str, resource: Resource) -> etree._Element:
    """An Organization."""
    kind = next(iter(resource.get("type", ())), None)
    industry = cd("standardIndustryClassCode", kind) if kind else None
    named = [el("name", each) for each in (resource.get("name"), *resource.get("alias", ())) if each]
    return el(name, ids(resource), named, telecoms(resource), addresses(resource), industry)


class Actors:
    """Writes the actors that references name; `resolve` gives the resource of a reference, None for unknown ones."""

    def __init__(self, resolve: Callable[[Resource], Resource | None]) -> None:
        self.resolve = resolve

    def entity(self, tag: str, reference: Resource) -> etree._Element | None:
        """A reference as assignedEntity, assignedAuthor …; None when nobody is known under it."""
        resource = self.resolve(reference)
        if resource is None:
            return None
        person, role, employer = self._parts(resource)
        if resource["resourceType"] == "Device":
            return self._device(tag, resource)
        identified = ids(person) if person is not None else ids(employer or {})
        code = cd("code", next(iter(role.get("code", ())), None)) if role else None
        inner = [el("assignedPerson", names(person))] if person is not None and names(person) else []
        outer = [organization("representedOrganization", employer)] if employer is not None else []
        return el(
            tag,
            identified or el("id", nullFlavor="UNK"),
            code,
            addresses(person or {}),
            telecoms(role or person or {}),
            inner,
            outer,
        )

    def participant(self, reference: Resource) -> etree._Element | None:
        """A reference as participantRole of an entry."""
        resource = self.resolve(reference)
        if resource is None:
            return None
        if resource["resourceType"] == "Device":
            return self._device("participantRole", resource)
        person, role, employer = self._parts(resource)
        code = cd("code", next(iter(role.get("code", ())), None)) if role else None
        playing = el("playingEntity", names(person)) if person is not None and names(person) else None
        scoping = None
        if employer is not None:
            scoping = el("scopingEntity", ids(employer), el("desc", employer["name"]) if "name" in employer else None)
        return el("participantRole", ids(person or {}), code, addresses(person or {}), telecoms(role or person or {}),
                  playing, scoping)  # fmt: skip

    def employer(self, reference: Resource) -> Resource | None:
        """The Organization of a reference: itself, or that of a role."""
        resource = self.resolve(reference)
        return None if resource is None else self._parts(resource)[2]

    def _parts(self, resource: Resource) -> tuple[Resource | None, Resource | None, Resource | None]:
        """Person, role and organisation."""
        kind = resource["resourceType"]
        if kind == "PractitionerRole":
            held = resource.get("practitioner"), resource.get("organization")
            person, employer = (self.resolve(each) if each else None for each in held)
            return person, resource, employer
        return (None, None, resource) if kind == "Organization" else (resource, None, None)

    def _device(self, tag: str, device: Resource) -> etree._Element:
        model = next((each["name"] for each in device.get("deviceName", ())), None)
        software = next((each["value"] for each in device.get("version", ())), None)
        owner = self.resolve(device["owner"]) if "owner" in device else None
        parts = [
            el("manufacturerModelName", model) if model else None,
            el("softwareName", software) if software else None,
        ]
        return el(
            tag,
            ids(device),
            cd("code", device.get("type")),
            telecoms(device),
            el("assignedAuthoringDevice" if tag == "assignedAuthor" else "playingDevice", parts),
            organization("representedOrganization", owner) if owner else None,
        )
