"""FHIR documents: what a Bundle of type document becomes beside itself (https://hl7.org/fhir/R4/documents.html).

Pure: a Bundle whose references between entries are their full URLs, to its parts and the DocumentReference (PDSm).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from fhirserver.documents.cda import publication
from fhirserver.errors import Unprocessable
from fhirserver.spec.systems import CONFIDENTIALITY

Resource = dict[str, Any]

MEDIA_TYPE: Final = "application/fhir+json"
_FORMAT: Final = {"system": publication.URNS, "code": "urn:ihe:iti:xds:2017:mimeTypeSufficient"}


class Part(NamedTuple):
    """An entry of the Bundle: its place, its full URL, and the resource."""

    place: int
    full_url: str
    resource: Resource


class Document(NamedTuple):
    """A document Bundle, taken apart; `patient`: the Patient that the Composition is about, if among the parts."""

    bundle: Resource
    composition: Part
    patient: Part | None
    others: tuple[Part, ...]

    @property
    def identifier(self) -> tuple[str, str]:
        """System and value of what names the document everywhere."""
        found = self.bundle["identifier"]
        return str(found.get("system", "")), str(found["value"])

    @property
    def subject(self) -> Resource:
        """Whom the Composition is about, as it says."""
        found: Resource = self.composition.resource["subject"]
        return found


def is_document(resource: Mapping[str, Any]) -> bool:
    """Whether it is a Bundle of type document."""
    return resource.get("resourceType") == "Bundle" and resource.get("type") == "document"


def taken_apart(bundle: Resource) -> Document:
    """The parts of a document Bundle. Raises Unprocessable for one that is no document."""
    parts = [
        Part(place, str(each.get("fullUrl") or f"urn:fhirserver:entry:{place}"), each["resource"])
        for place, each in enumerate(bundle.get("entry", ()))
        if isinstance(each.get("resource"), dict)
    ]
    if not parts or parts[0].place or parts[0].resource["resourceType"] != "Composition":
        raise _wrong("the first entry of a document is its Composition.", "Bundle.entry[0].resource")
    if not isinstance(bundle.get("identifier"), dict) or not bundle["identifier"].get("value"):
        raise _wrong("a document has an identifier.", "Bundle.identifier")
    first, *others = parts
    subject = first.resource.get("subject")
    if not isinstance(subject, dict):
        raise _wrong("a document is about a patient.", "Bundle.entry[0].resource.subject")
    about = next((each for each in others if each.full_url == subject.get("reference")), None)
    if about is not None and about.resource["resourceType"] != "Patient":
        raise _wrong("a document is about a Patient.", "Bundle.entry[0].resource.subject")
    return Document(bundle, first, about, tuple(each for each in others if each is not about))


def document_reference(document: Document, patient: str, url: str, digest: Resource, actor: Actor) -> Resource:
    """The DocumentReference of a document about `Patient/x`, which lies at `url`; `digest`: hash and size of its bytes.

    `actor`: where an author is known here, with the resource that tells of him, if it is among the parts.
    """
    composition = document.composition.resource
    contained, authors, legal = _actors(document, actor)
    codings = [each for each in composition["type"].get("coding", ()) if "code" in each]
    events = composition.get("event", ())
    made: Resource = {
        "resourceType": "DocumentReference",
        **({"contained": contained} if contained else {}),
        "masterIdentifier": {"use": "usual", **document.bundle["identifier"]},
        "status": "current",
        "docStatus": composition["status"],
        "type": composition["type"],
        "category": composition.get("category") or [publication.category({"coding": codings})],
        "subject": {"reference": patient},
        "author": authors,
        "securityLabel": _labels(document),
        "description": composition["title"],
        "content": [{"attachment": _attachment(document, url, digest), "format": dict(_FORMAT)}],
    }
    if "timestamp" in document.bundle:
        made["date"] = document.bundle["timestamp"]
    if "identifier" in composition:
        made["identifier"] = [{"use": "secondary", **composition["identifier"]}]
    if legal:
        made["authenticator"] = legal
    if "custodian" in composition:
        made["custodian"] = composition["custodian"]
    context: Resource = {"facilityType": publication.ABSENT, "practiceSetting": publication.ABSENT}
    context["event"] = [code for event in events for code in event.get("code", ())]
    context["period"] = next((event["period"] for event in events if "period" in event), {})
    context["encounter"] = [composition["encounter"]] if "encounter" in composition else []
    if document.patient is not None:
        context["sourcePatientInfo"] = {"reference": "#patient"}
    return made | {"context": {name: value for name, value in context.items() if value}}


Actor = Callable[[str], tuple[Resource, Resource | None]]
"""By the reference as it is written: a Reference to where he is known here, and the resource of the Bundle."""


def _actors(document: Document, actor: Actor) -> tuple[list[Resource], list[Resource], Resource | None]:
    """The patient and the authors as PDSm wants them, within; references to the authors, and to the legal one."""
    contained: list[Resource] = []
    if document.patient is not None:
        contained.append({**_bare(document.patient.resource), "id": "patient"})
    composition = document.composition.resource
    legal = [each["party"] for each in composition.get("attester", ()) if each["mode"] == "legal" and "party" in each]
    places: dict[str, Resource] = {}
    for each in (*composition["author"], *legal[:1]):
        text = each.get("reference", "")
        if text in places or not text:
            continue
        who, told = actor(text)
        if document.patient is not None and text == document.patient.full_url:
            places[text] = {"reference": "#patient"}
        elif told is None:
            places[text] = who
        else:
            places[text] = {"reference": f"#actor-{len(contained)}"}
            contained.append({**publication.role(_bare(told), who), "id": f"actor-{len(contained)}"})
    authors = [places.get(each.get("reference", ""), each) for each in composition["author"]]
    return contained, authors, places.get(legal[0].get("reference", ""), legal[0]) if legal else None


def _bare(resource: Resource) -> Resource:
    """Without what a contained resource has none of."""
    return {name: value for name, value in resource.items() if name not in ("id", "meta", "contained", "text")}


def _labels(document: Document) -> list[Resource]:
    """The labels of the Composition and of the Bundle."""
    composition = document.composition.resource
    code = composition.get("confidentiality", "N")
    codings = [{"system": CONFIDENTIALITY, "code": code}]
    for each in (document.bundle, composition):
        codings += [label for label in each.get("meta", {}).get("security", ()) if label not in codings]
    return [{"coding": [each]} for each in codings]


def _attachment(document: Document, url: str, digest: Resource) -> Resource:
    composition = document.composition.resource
    language = composition.get("language") or document.bundle.get("language")
    return {
        "contentType": MEDIA_TYPE,
        **({"language": language} if language else {"_language": publication.ABSENT}),
        "url": url,
        **digest,
        "title": composition["title"],
        "creation": composition["date"],
    }


def _wrong(text: str, where: str) -> Unprocessable:
    return Unprocessable(f"{where}: {text}", expression=where)
