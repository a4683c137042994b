"""Who the document is about: `recordTarget` as the traits that identity vigilance compares, and as a Patient."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fhirserver.documents.cda import actors, values
from fhirserver.documents.cda.conversion import PatientTraits
from fhirserver.documents.cda.values.people import BIRTH_NAMES, INSEE
from fhirserver.spec.systems import ROLE_CLASS

if TYPE_CHECKING:
    from fhirserver.documents.cda.context import Context
    from fhirserver.documents.cda.node import Node

GENDERS: Final = {"F": "female", "M": "male", "UN": "unknown"}
BIRTH_PLACE: Final = "http://hl7.org/fhir/StructureDefinition/patient-birthPlace"

Resource = dict[str, Any]


def read(root: Node, ctx: Context) -> PatientTraits:
    """The patient of a document; empty traits when the header names none."""
    role = root.at("recordTarget/patientRole")
    if role is None:
        return PatientTraits()
    target = root.one("recordTarget")
    if target is not None:
        target.templates  # noqa: B018 read
    role.templates  # noqa: B018 read
    patient = role.one("patient")
    resource: Resource = {"resourceType": "Patient"}
    identifiers = actors.identifiers(role)
    if identifiers:
        resource["identifier"] = identifiers
    if patient is not None:
        _person(resource, patient)
    if telecom := actors.contacts(role):
        resource["telecom"] = telecom
    if addresses := actors.all_of(role, "addr", values.address):
        resource["address"] = addresses
    provider = role.one("providerOrganization")
    if provider is not None and (managing := actors.organization(provider, ctx)) is not None:
        resource["managingOrganization"] = managing
    return _traits(resource)


def _person(resource: Resource, patient: Node) -> None:
    patient.templates  # noqa: B018 read
    if names := _names(patient):
        resource["name"] = names
    gender = patient.one("administrativeGenderCode")
    code = gender.attributes.get("code") if gender is not None else None
    if gender is not None and code in GENDERS:
        gender.told()
        resource["gender"] = GENDERS[code]
    birth = values.date_time(patient.one("birthTime"))
    if birth:
        resource["birthDate"] = birth[:10]
        if len(birth) > 10:
            extension = "http://hl7.org/fhir/StructureDefinition/patient-birthTime"
            resource["_birthDate"] = {"extension": [{"url": extension, "valueDateTime": birth}]}
    _fate(resource, patient)
    marital = values.concept(patient.one("maritalStatusCode"))
    if marital:
        resource["maritalStatus"] = marital
    place = values.address(patient.at("birthplace/place/addr"))
    named = values.organization_name(patient.at("birthplace/place/name"))
    if named:
        place = {**(place or {}), "text": named}
    if place:
        resource.setdefault("extension", []).append({"url": BIRTH_PLACE, "valueAddress": place})
    if contacts := [_guardian(kid) for kid in patient.all("guardian")]:
        resource["contact"] = contacts
    if languages := [found for kid in patient.all("languageCommunication") if (found := _language(kid))]:
        resource["communication"] = languages


def _names(patient: Node) -> list[Resource]:
    """The names; FR Core demands a family and a given name of the official one."""
    names = [name for kid in patient.all("name") for name in values.human_names(kid)]
    for name in names:
        if name.get("use") == "official":
            if "family" not in name:
                name["_family"] = values.absent_element(None)
            if "given" not in name:
                name["_given"] = [values.absent_element(None)]
    return names


def _fate(resource: Resource, patient: Node) -> None:
    """Deceased, and of a multiple birth."""
    deceased = values.boolean(patient.one("sdtc:deceasedInd"))
    when = values.date_time(patient.one("sdtc:deceasedTime"))
    if when:
        resource["deceasedDateTime"] = when
    elif deceased is not None:
        resource["deceasedBoolean"] = deceased
    order = values.integer(patient.one("sdtc:multipleBirthOrderNumber"))
    multiple = values.boolean(patient.one("sdtc:multipleBirthInd"))
    if order is not None:
        resource["multipleBirthInteger"] = order
    elif multiple is not None:
        resource["multipleBirthBoolean"] = multiple


def _guardian(node: Node) -> Resource:
    node.templates  # noqa: B018 read
    relation: list[Resource] = [{"coding": [{"system": ROLE_CLASS, "code": "GUARD"}]}]
    if code := values.concept(node.one("code")):
        relation.append(code)
    node.get("classCode")
    found: Resource = {"relationship": relation}
    person, organization = node.one("guardianPerson"), node.one("guardianOrganization")
    names = values.human_names(person.one("name")) if person is not None else []
    if organization is not None and (name := values.organization_name(organization.one("name"))):
        names = names or [{"text": name}]
    if names:
        found["name"] = names[0]
    if telecom := actors.contacts(node):
        found["telecom"] = telecom
    where = values.address(node.one("addr"))
    if where:
        found["address"] = where
    return found


def _language(node: Node) -> Resource | None:
    language = values.code(node.one("languageCode"))
    if language is None:
        return None
    found: Resource = {"language": {"coding": [{"system": "urn:ietf:bcp:47", "code": language}]}}
    preferred = values.boolean(node.one("preferenceInd"))
    return found if preferred is None else {**found, "preferred": preferred}


def _traits(resource: Resource) -> PatientTraits:
    names = {name.get("use"): name for name in reversed(resource.get("name", ()))}
    birth = names.get("official") or (resource.get("name") or [{}])[0]
    used = names.get("usual", {})
    listed = next((e["valueString"] for e in birth.get("extension", ()) if e["url"] == BIRTH_NAMES), "")
    given = [*birth.get("given", ())]
    given += [name for name in listed.split() if name not in given]
    place: Resource = next((e["valueAddress"] for e in resource.get("extension", ()) if e["url"] == BIRTH_PLACE), {})
    commune = next((e["valueCoding"]["code"] for e in place.get("extension", ()) if e["url"] == INSEE), None)
    return PatientTraits(
        identifiers=tuple(
            (item["system"], item["value"]) for item in resource.get("identifier", ()) if "system" in item
        ),
        birth_name=birth.get("family"),
        used_name=used.get("family"),
        given=tuple(given),
        gender=resource.get("gender"),
        birth_date=resource.get("birthDate"),
        birth_place=commune,
        deceased=resource.get("deceasedDateTime", resource.get("deceasedBoolean")),
        resource=resource,
    )
