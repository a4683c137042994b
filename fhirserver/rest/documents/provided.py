"""A transaction that brings documents (IHE ITI-65): each Binary is tied to its document, and hash and size are checked.

Documents that are here already are not stored again: what refers to them leads to the one stored.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from fhirserver import jsontext
from fhirserver.errors import Unprocessable
from fhirserver.rest import conforming
from fhirserver.rest.documents import contents, deposit, sameness
from fhirserver.rest.documents.belonging import BINARY, attachments, local
from fhirserver.rest.documents.changes import DOCUMENT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from fhirserver.rest.entries import Entry
    from fhirserver.rest.exchange import Exchange
    from fhirserver.store import Stored, Transaction

SUBMISSION_SET: Final = "submissionset"
PROVIDE: Final = (
    "https://profiles.ihe.net/ITI/MHD/StructureDefinition/IHE.MHD.Minimal.ProvideBundle",
    "https://profiles.ihe.net/ITI/MHD/StructureDefinition/IHE.MHD.UnContained.Comprehensive.ProvideBundle",
    "https://profiles.ihe.net/ITI/MHD/StructureDefinition/IHE.MHD.Comprehensive.ProvideBundle",
    "https://interop.esante.gouv.fr/ig/fhir/pdsm/StructureDefinition/pdsm-comprehensive-provide-document-bundle",
)


def require_conforming(exchange: Exchange, bundle: dict[str, Any]) -> None:
    """A Bundle that claims to provide documents is held to that profile as a whole, as it was sent.

    Raises Unprocessable with all that is wrong with it.
    """
    if _claims(bundle):
        conforming.validated(exchange, bundle)


def tied(exchange: Exchange, bundle: Mapping[str, Any], entries: Sequence[Entry]) -> None:
    """Writes into the Binaries of the Bundle whose content they are, and hash and size into the documents.

    Raises Unprocessable where these are others, where a document names an entry that is not there, and where two
    documents bear one uniqueId or share a Binary.
    """
    _require_set(bundle, entries)
    documents = [each for each in entries if _brings(each, DOCUMENT)]
    twice = Counter(known for each in documents if (known := sameness.unique_id(each.resource or {})) is not None)
    for known, times in twice.items():
        if times > 1:
            raise Unprocessable(f"Two documents of the Bundle bear the masterIdentifier {known[1]}.", code="duplicate")
    binaries = {each.id: each for each in entries if _brings(each, BINARY)}
    tied: set[str] = set()
    for document in documents:
        for place, attachment in attachments(document.resource or {}):
            id = local(exchange, BINARY, attachment.get("url"))
            where = f"Bundle.entry[{document.place}].resource.content[{place}].attachment.url"
            if str(attachment.get("url", "")).startswith("urn:uuid:") or id in tied:
                why = "is the content of another document" if id else "leads to no entry of the Bundle"
                raise Unprocessable(f"{where}: {attachment['url']} {why}.", expression=where)
            if id in binaries:
                tied.add(str(id))
                _tie(document, place, attachment, binaries[str(id)])


def met(
    exchange: Exchange, tx: Transaction, entries: Sequence[Entry], documents: Mapping[int, Stored]
) -> dict[int, Stored]:
    """What else of the Bundle is stored already: by place, the Binaries of `documents` (by their place), and the
    submission set when nothing in it is new."""
    found: dict[int, Stored] = {}
    for place, stored in documents.items():
        there = dict(attachments(jsontext.parse_object(stored.body)))
        sent = dict(attachments(entries[place].resource or {}))
        moved = {
            local(exchange, BINARY, sent[each].get("url")): there[each].get("url") for each in sent if each in there
        }
        for entry in entries:
            kept = local(exchange, BINARY, moved.get(entry.id)) if _brings(entry, BINARY) else None
            if kept is not None and (binary := tx.view.read(BINARY, kept)) is not None and not binary.deleted:
                found[entry.place] = binary
    if documents and len(documents) == sum(_brings(each, DOCUMENT) for each in entries):
        for entry in entries:
            if _is_set(entry) and (same := _stored_set(exchange, tx, entry.resource or {})) is not None:
                found[entry.place] = same
    return found


def same(exchange: Exchange, tx: Transaction, entry: Entry) -> Stored | None:
    """The document that an entry would create, when it is here already. Raises Conflict when it has other bytes."""
    brings = _brings(entry, DOCUMENT) or _brings(entry, "Bundle")
    return deposit.found(exchange, tx, entry.resource or {}) if brings else None


def lock(tx: Transaction, entries: Iterable[Entry]) -> None:
    """Before anything is read."""
    sameness.lock(tx, (each.resource or {} for each in entries if each.method == "POST"))


def _brings(entry: Entry, type: str) -> bool:
    return entry.method == "POST" and entry.type == type


def _tie(document: Entry, place: int, attachment: dict[str, Any], binary: Entry) -> None:
    value = binary.resource or {}
    data = contents.decoded(value.get("data", ""), f"Bundle.entry[{binary.place}].resource.data")
    contents.measure(place, attachment, contents.Content.of(data))
    value["securityContext"] = {"reference": f"{DOCUMENT}/{document.id}"}


def _require_set(bundle: Mapping[str, Any], entries: Sequence[Entry]) -> None:
    """A Bundle that claims to provide documents brings one submission set."""
    if _claims(bundle) and sum(map(_is_set, entries)) != 1:
        text = "A Bundle that provides documents brings one List with the code submissionset."
        raise Unprocessable(text, expression="Bundle.entry")


def _claims(bundle: Mapping[str, Any]) -> bool:
    meta = bundle.get("meta")
    claimed = meta.get("profile", ()) if isinstance(meta, dict) else ()
    return any(str(each).partition("|")[0] in PROVIDE for each in (claimed if isinstance(claimed, list) else ()))


def _is_set(entry: Entry) -> bool:
    code = (entry.resource or {}).get("code") if _brings(entry, "List") else None
    codings = code.get("coding", ()) if isinstance(code, dict) else ()
    return any(isinstance(each, dict) and each.get("code") == SUBMISSION_SET for each in codings)


def _stored_set(exchange: Exchange, tx: Transaction, resource: Mapping[str, Any]) -> Stored | None:
    for each in resource.get("identifier", ()):
        if isinstance(each.get("value"), str):
            known = sameness.identified(exchange, tx, "List", str(each.get("system", "")), each["value"])
            if known:
                return known[0]
    return None
