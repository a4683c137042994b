"""The header of a biology report: what the CI-SIS wants, from what the resources say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fhirserver.documents.cda.values import systems, times
from fhirserver.documents.cda.writing import people, values
from fhirserver.documents.cda.writing.people import Actors
from fhirserver.documents.cda.writing.xml import el, templates
from fhirserver.errors import Unprocessable

if TYPE_CHECKING:
    from collections.abc import Callable

    from lxml import etree

    from fhirserver.documents.cda.writing.results import Performers

Resource = dict[str, Any]

TEMPLATES: Final = (
    "2.16.840.1.113883.2.8.2.1",
    "1.2.250.1.213.1.1.1.1",
    "1.3.6.1.4.1.19376.1.3.3",
    "1.2.250.1.213.1.1.1.55|2024.01",
)
LOINC: Final = "2.16.840.1.113883.6.1"
TITLE: Final = "Compte rendu d'examens biologiques"
SECTORS: Final = "1.2.250.1.71.4.2.4"


class Identity(NamedTuple):
    """`number` is a UUID; `replaces` the uri of the document that this one replaces."""

    number: str
    set_id: str | None
    version: int
    replaces: str | None


class Parts(NamedTuple):
    """Who and when: the patient, who signs, the laboratory, the time of the document and of the first specimen."""

    patient: Resource
    author: Resource
    laboratory: Resource
    organization: Resource
    performers: Performers
    code: Resource
    created: str
    since: str
    orders: tuple[Resource, ...]
    actors: Actors


def gather(reports: list[Resource], resolve: Callable[[Resource], Resource | None], patients: list[Resource]) -> Parts:
    """The parts of the header. Raises Unprocessable with what is missing."""
    first = reports[0]
    patient = resolve(first.get("subject", {})) or (patients[0] if len(patients) == 1 else None)
    if patient is None or patient.get("resourceType") != "Patient":
        raise Unprocessable("The Patient of the report is not in the Bundle.", expression="DiagnosticReport.subject")
    actors = Actors(resolve)
    laboratory, organization = _laboratory(first, actors)
    author = next((each for each in (*first.get("resultsInterpreter", ()), laboratory) if _signs(each, resolve)), None)
    if author is None:
        raise Unprocessable(
            "Nobody answers for the report: resultsInterpreter must refer to a Practitioner of the Bundle, or to a"
            " PractitionerRole with one.",
            expression="DiagnosticReport.resultsInterpreter",
        )
    times_ = [each for report in reports for each in _times(report)]
    created = next((report["issued"] for report in reports if "issued" in report), None) or max(times_, default=None)
    if created is None:
        raise Unprocessable(
            "When was the report made? It has neither issued nor effective[x].", expression="DiagnosticReport.issued"
        )
    orders = [each["identifier"] for each in first.get("basedOn", ()) if "identifier" in each]
    return Parts(
        patient=patient,
        author=author,
        laboratory=laboratory,
        organization=organization,
        performers=((None, laboratory["reference"]),),
        code=first["code"],
        created=created,
        since=times.earliest(times_) or created,
        orders=tuple(orders),
        actors=actors,
    )


def _laboratory(report: Resource, actors: Actors) -> tuple[Resource, Resource]:
    """The reference to who performed it, and his Organization. Raises Unprocessable."""
    laboratory = next(iter(report.get("performer", ())), None)
    organization = actors.employer(laboratory) if laboratory is not None else None
    if laboratory is None or organization is None:
        raise Unprocessable(
            "The report names no laboratory: performer must refer to an Organization of the Bundle, or to a"
            " PractitionerRole with one.",
            expression="DiagnosticReport.performer",
        )
    if not values.ids(organization):
        raise Unprocessable(
            "The laboratory has no identifier that a document can carry, such as its FINESS.",
            expression="Organization.identifier",
        )
    return laboratory, organization


def _signs(reference: Resource, resolve: Callable[[Resource], Resource | None]) -> bool:
    """Whether a person is behind a reference."""
    resource = resolve(reference) or {}
    kind = resource.get("resourceType")
    return kind == "Practitioner" or (
        kind == "PractitionerRole" and resolve(resource.get("practitioner", {})) is not None
    )


def _times(report: Resource) -> list[str]:
    period = report.get("effectivePeriod", {})
    return [each for each in (report.get("effectiveDateTime"), period.get("start")) if each]


def document(identity: Identity, parts: Parts, sections: list[etree._Element]) -> etree._Element:
    """The ClinicalDocument around the sections."""
    body = el("structuredBody", [el("component", section) for section in sections])
    return el(
        "ClinicalDocument",
        _identity(identity, parts),
        people.patient(parts.patient),
        _signed("author", "assignedAuthor", parts, signature=False),
        el(
            "custodian",
            el("assignedCustodian", people.organization("representedCustodianOrganization", parts.organization)),
        ),
        _signed("legalAuthenticator", "assignedEntity", parts, signature=True),
        [el("inFulfillmentOf", el("order", values.ii("id", each))) for each in parts.orders],
        _service(parts),
        _replaced(identity),
        _encounter(parts),
        el("component", body),
    )


def _identity(identity: Identity, parts: Parts) -> list[etree._Element]:
    return [
        el("realmCode", code="FR"),
        el("typeId", root="2.16.840.1.113883.1.3", extension="POCD_HD000040"),
        *templates(*TEMPLATES),
        el("id", root=identity.number),
        el("code", code="11502-2", codeSystem=LOINC, displayName="CR d'examens biologiques"),
        el("title", TITLE),
        el("effectiveTime", value=_stamp(parts.created)),
        el("confidentialityCode", code="N", codeSystem="2.16.840.1.113883.5.25", displayName="Normal"),
        el("languageCode", code="fr-FR"),
        _uid("setId", identity.set_id or identity.number),
        el("versionNumber", value=str(identity.version)),
    ]


def _custodian(parts: Parts) -> etree._Element:
    keeper = people.organization("representedCustodianOrganization", parts.organization)
    return el("custodian", el("assignedCustodian", keeper))


def _uid(tag: str, uri: str) -> etree._Element:
    """A uri `urn:oid:root^extension` as II."""
    root, _, extension = uri.removeprefix(systems.URN_OID).removeprefix(systems.URN_UUID).partition("^")
    return el(tag, root=root, extension=extension or None)


def _stamp(text: str) -> str:
    return times.write(text)


def _signed(tag: str, role: str, parts: Parts, *, signature: bool) -> etree._Element:
    entity = parts.actors.entity(role, parts.author)
    return el(
        tag,
        el("time", value=_stamp(parts.created)),
        el("signatureCode", code="S") if signature else None,
        entity,
    )


def _service(parts: Parts) -> etree._Element:
    """The main act: the first chapter, carried out by the laboratory."""
    performer = parts.actors.entity("assignedEntity", parts.laboratory)
    event = el(
        "serviceEvent",
        values.cd("code", {key: held for key, held in parts.code.items() if key != "text"} or parts.code),
        el("effectiveTime", el("low", value=_stamp(parts.since)), el("high", value=_stamp(parts.created))),
        el("performer", templates("1.3.6.1.4.1.19376.1.3.3.1.7", "1.2.250.1.213.1.1.3.23"), performer, typeCode="PRF"),
    )
    return el("documentationOf", event)


def _replaced(identity: Identity) -> etree._Element | None:
    if identity.replaces is None:
        return None
    return el("relatedDocument", el("parentDocument", _uid("id", identity.replaces)), typeCode="RPLC")


def _encounter(parts: Parts) -> etree._Element:
    facility = el("healthCareFacility", el("code", code="SA25", codeSystem=SECTORS,
                  displayName="Laboratoire de biologie médicale"))  # fmt: skip
    return el(
        "componentOf",
        el(
            "encompassingEncounter",
            el("code", code="AMB", codeSystem="2.16.840.1.113883.5.4", displayName="Ambulatoire (hors établissement)"),
            el("effectiveTime", el("low", value=_stamp(parts.since)), el("high", value=_stamp(parts.created))),
            el("location", facility),
        ),
    )
