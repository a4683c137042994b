"""FHIR documents in: a Bundle of type document is stored whole, and found by what is in it.

Beside the Bundle, which never changes, stand the DocumentReference of it and its entries as resources of their own, all
derived from that DocumentReference: seen where it is, masked and set aside with it. The same document twice is one.
"""

from __future__ import annotations

import copy
import uuid
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fhirserver import jsontext
from fhirserver.access import UNDERIVED, tables
from fhirserver.documents import fhir
from fhirserver.documents.cda import Entry
from fhirserver.errors import Conflict, Unprocessable
from fhirserver.rest import compartment, references, writing
from fhirserver.rest.documents import cda_actors, contents, identity, replacing, sameness
from fhirserver.rest.documents.changes import DOCUMENT, keep_masked
from fhirserver.rest.patch import patched
from fhirserver.store import first_version
from fhirserver.validation.bundle import Entries

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fhirserver.rest.exchange import Exchange
    from fhirserver.store import Stored, Transaction

Resource = dict[str, Any]

BUNDLE: Final = "Bundle"
_NOT_ESTABLISHED: Final = (
    "The identity of the patient could not be established: the INS, birth name, first given name, sex and date of "
    "birth of the document's Patient must all agree with one open record."
)


class _Whose(NamedTuple):
    """The record that a document enters, and the ids of its parts by full URL."""

    patient: str
    known: dict[str, str]


def found(exchange: Exchange, tx: Transaction, bundle: Resource) -> Stored | None:
    """The document that is here already, and seen. Raises Conflict when it says something else."""
    system, value = fhir.taken_apart(bundle).identifier
    for each in sameness.identified(exchange, tx, BUNDLE, system, value):
        there = jsontext.parse_object(each.body)
        if each.pat is None or not fhir.is_document(there) or there["identifier"] != bundle["identifier"]:
            continue
        if _said(there) != _said(bundle):
            text = f"Another document bears the identifier {value}: a new version has one of its own."
            raise Conflict(text, code="duplicate", expression="Bundle.identifier")
        return each
    return None


def create(exchange: Exchange, tx: Transaction, bundle: Resource, id: str) -> list[Stored]:
    """Stores a document: the Bundle first, then its DocumentReference and what is derived from it.

    Raises Unprocessable when it is no document, or whose it is cannot be established; what `writing.create` raises.
    """
    bundle = {**bundle, "id": id}
    document = fhir.taken_apart(_unified(exchange, bundle))
    patient = _patient(exchange, tx, document)
    whose = _Whose(patient, _known(exchange, tx, document, patient))
    added = cda_actors.settled(exchange, tx, list(_directory(document, whose)), whose.known)
    own = [each for each in document.others if each.full_url not in whose.known and _is_derived(each)]
    ids = {each.full_url: f"{each.resource['resourceType']}/{writing.new_id()}" for each in own}
    whose.known.update(ids | {document.composition.full_url: f"Composition/{compartment.composition_of(id)}"})
    replaced = _replaced(exchange, tx, document, whose)
    reference = _reference(exchange, document, bundle, whose)
    if relations := _relations(exchange, tx, document):
        reference["relatesTo"] = relations
    for each in replaced:
        if each.type == DOCUMENT:
            keep_masked(reference, jsontext.parse_object(each.body))
    about = writing.new_id()
    stored = [writing.create(exchange, tx, reference, about)]
    owner = f"{DOCUMENT}/{about}"
    index = compartment.in_bundle(exchange.services.indexer.index, bundle, patient)
    whole = writing.create(exchange, tx, bundle, id, document=owner, index=index)
    for part in (document.composition, *own):
        resource = cda_actors.resolved(part.resource, whose.known)
        new = whose.known[part.full_url].partition("/")[2]
        stored.append(writing.create(exchange, tx, resource, new, document=owner))
    return [whole, *stored, *added, *replaced]


def _said(bundle: Mapping[str, Any]) -> bytes:
    """What a document says, as it says it, without what the server adds."""
    meta = {name: value for name, value in bundle.get("meta", {}).items() if name not in ("versionId", "lastUpdated")}
    kept = {name: value for name, value in bundle.items() if name not in ("id", "meta")}
    return jsontext.dump([kept, meta])


def _unified(exchange: Exchange, bundle: Resource) -> Resource:
    """The Bundle with a `urn:uuid:` as the full URL of each entry, by which the others refer to it."""
    bundle = copy.deepcopy(bundle)
    world = Entries(bundle)
    entries = [each for each in bundle.get("entry", ()) if isinstance(each.get("resource"), dict)]
    urls = [f"urn:uuid:{uuid.uuid4()}" for _ in entries]
    by_resource = {id(each["resource"]): url for each, url in zip(entries, urls, strict=True)}
    for each in entries:
        for link in references.links(exchange.services.definitions, each["resource"]):
            if link.type != "Reference" or link.text.startswith("#"):
                continue
            target = world.find(link.text, each.get("fullUrl"))
            if target is not None:
                link.replace(by_resource[id(target)])
    for each, url in zip(entries, urls, strict=True):
        each["was"], each["fullUrl"] = each.get("fullUrl"), url
    return bundle


def _patient(exchange: Exchange, tx: Transaction, document: fhir.Document) -> str:
    """Whose record the document enters: by reference, or as its Patient's identity establishes."""
    if document.patient is None:
        about = {"resourceType": "Composition", "id": "x", "subject": document.subject}
        patient = compartment.indexed(exchange, tx, about).pat
        if patient is None:
            raise Unprocessable(_NOT_ESTABLISHED, expression="Bundle.entry[0].resource.subject")
        return patient
    here = _own_url(exchange, document, document.patient)
    if here is not None:
        return here.partition("/")[2]
    resource, where = document.patient.resource, f"Bundle.entry[{document.patient.place}].resource"
    numbers = compartment.numbers_of(resource)
    known = {id: record for number in numbers for id, record in identity.bearers(exchange, tx, *number)}
    if len(known) == 1:
        ((id, record),) = known.items()
        if not identity.disagreeing(identity.held(resource), identity.held(record)):
            return id
    raise Unprocessable(_NOT_ESTABLISHED, code="business-rule", expression=where)


def _known(exchange: Exchange, tx: Transaction, document: fhir.Document, patient: str) -> dict[str, str]:
    """The parts that are here already, and seen: they are not stored again."""
    known = {document.patient.full_url: f"Patient/{patient}"} if document.patient is not None else {}
    for part in document.others:
        here = _own_url(exchange, document, part)
        if here is not None:
            type, _, id = here.partition("/")
            there = tx.view.read(type, id)
            if there is not None and not there.deleted:
                known[part.full_url] = here
    return known


def _own_url(exchange: Exchange, document: fhir.Document, part: fhir.Part) -> str | None:
    """`Type/id` of a part whose full URL is one of this server."""
    url = document.bundle["entry"][part.place].get("was")
    base = exchange.services.base + "/"
    if not isinstance(url, str) or not url.startswith(base):
        return None
    type, _, id = url.removeprefix(base).partition("/")
    return f"{type}/{id}" if type == part.resource["resourceType"] and id and "/" not in id else None


def _directory(document: fhir.Document, whose: _Whose) -> Iterator[Entry]:
    """The parts that are nobody's: actors, matched with the directory or added to it."""
    for part in document.others:
        if part.full_url not in whose.known and tables.shared().get(part.resource["resourceType"]) == "directory":
            bare = {name: value for name, value in part.resource.items() if name not in ("id", "meta")}
            yield Entry(part.full_url, "directory", bare)


def _is_derived(part: fhir.Part) -> bool:
    """Whether a part becomes a resource of the record: not what carries rules, nor what is the operator's to define."""
    return part.resource["resourceType"] not in UNDERIVED


def _reference(exchange: Exchange, document: fhir.Document, bundle: Resource, whose: _Whose) -> Resource:
    parts = {each.full_url: each.resource for each in document.others}

    def actor(text: str) -> tuple[Resource, Resource | None]:
        return {"reference": whose.known.get(text, text)}, parts.get(text)

    data = first_version(bundle, bundle["id"], exchange.access.now)
    content = contents.Content.of(data)
    digest = {"size": content.size, "hash": content.hash}
    url = f"{BUNDLE}/{bundle['id']}"
    made = fhir.document_reference(document, f"Patient/{whose.patient}", url, digest, actor)
    return cda_actors.resolved(made, whose.known)


def _replaced(exchange: Exchange, tx: Transaction, document: fhir.Document, whose: _Whose) -> list[Stored]:
    """Sets aside the documents of the record that this one replaces. Raises Forbidden for another's, Conflict for one
    that was replaced before; one that is not here, or not to be seen, is named only."""
    done = []
    for relation in document.composition.resource.get("relatesTo", ()):
        target = _target(exchange, tx, relation) if relation["code"] == "replaces" else None
        if target is None:
            continue
        there = sameness.identified(exchange, tx, DOCUMENT, str(target.get("system", "")), str(target.get("value", "")))
        there = [each for each in there if each.pat == whose.patient]
        current = [each for each in there if jsontext.parse_object(each.body)["status"] == "current"]
        if there and not current:
            where = "Bundle.entry[0].resource.relatesTo"
            raise Conflict(f"{where}: only a current document is replaced; read who replaced it.", expression=where)
        done += [patched(exchange, tx, DOCUMENT, each.id, _superseded, each.version)[0] for each in current]
    return done


def _superseded(before: Resource) -> Resource:
    return before | {"status": replacing.SUPERSEDED}


def _relations(exchange: Exchange, tx: Transaction, document: fhir.Document) -> list[Resource]:
    """What the Composition relates to, as the DocumentReference says it."""
    related = document.composition.resource.get("relatesTo", ())
    told = ((each["code"], _target(exchange, tx, each)) for each in related)
    return [{"code": code, "target": {"identifier": target}} for code, target in told if target is not None]


def _target(exchange: Exchange, tx: Transaction, relation: Resource) -> Resource | None:
    """The identifier of the document that a Composition relates to."""
    if "targetIdentifier" in relation:
        found: Resource = relation["targetIdentifier"]
        return found
    text = relation.get("targetReference", {}).get("reference", "")
    type, _, id = text.removeprefix(exchange.services.base + "/").partition("/")
    there = tx.view.read(type, id) if type == "Composition" and id else None
    return None if there is None or there.deleted else jsontext.parse_object(there.body).get("identifier")
