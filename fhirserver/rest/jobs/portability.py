"""`Patient/[id]/$portability`: all of a record in one archive, for the person (GDPR, article 20; CSP L.1111-13-1).

    LISEZMOI.html           what is in it, to begin reading with
    lire/TYPE.html          the same to read: what each says, newest first
    donnees/TYPE.ndjson     resources, one a line
    documents/…             each content of a document as it is, and of CDA documents a page to read beside it

It is what the person sees, read through the person's own view, while the job runs.
"""

from __future__ import annotations

import zipfile
from html import escape
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from fhirserver import jsontext
from fhirserver.access import Access, keys
from fhirserver.access.rules import WHOLE
from fhirserver.access.zones import zone
from fhirserver.audit import Entity, Event
from fhirserver.documents.cda import rendering
from fhirserver.errors import BadRequest, FhirError
from fhirserver.espace.messages import message
from fhirserver.rest.documents import contents
from fhirserver.rest.documents.belonging import BINARY, attachments
from fhirserver.rest.documents.render import CDA
from fhirserver.rest.jobs import asking, exporting, readable
from fhirserver.rest.jobs.asking import requester_of
from fhirserver.rest.operations.stored import instance
from fhirserver.rest.parameters import received_as
from fhirserver.rest.read import unknown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from fhirserver.rest.answer import Answer
    from fhirserver.rest.exchange import Exchange
    from fhirserver.rest.services import Services
    from fhirserver.store import Lease, View

KIND: Final = "portability"
ARCHIVE: Final = "archive"
ZIP: Final = "application/zip"
_SUFFIXES: Final = {
    "application/pdf": "pdf", "text/plain": "txt", "image/png": "png", "image/jpeg": "jpg", "image/gif": "gif",
    "text/html": "html", "application/dicom": "dcm", "application/json": "json",
}  # fmt: skip
_PAGE: Final = """<!DOCTYPE html>
<html lang="fr"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Copie de votre dossier</title></head><body>
<h1>Copie de votre dossier</h1>
<p>Faite le {at}. Elle contient tout ce que vous voyez de votre dossier, sauf le journal des accès,
que montre votre espace.</p>
<h2>À lire</h2>
<ul>{pages}</ul>
<h2>Documents</h2>
<ul>{documents}</ul>
<h2>À reprendre ailleurs</h2>
<p>Les mêmes données au format FHIR R4, une ressource par ligne, pour être reprises par un autre service.</p>
<ul>{data}</ul>
</body></html>
"""


def portability(exchange: Exchange, type: str, id: str) -> Answer:
    """`POST Patient/[id]/$portability`, by the holder or a representative: 202, and where to ask about it."""
    if not exchange.prefer.asynchronous:
        raise BadRequest("The archive is made asynchronously: send the header Prefer: respond-async.", code="required")
    received_as(exchange, ())
    who = exchange.access.requester
    if not who.is_person or who.patient != id:
        raise unknown(type, id)
    stored = instance(exchange, type, id)
    definitions = exchange.services.definitions
    types = {*definitions.compartment("Patient"), "Patient", *WHOLE} - {BINARY}
    asked: dict[str, Any] = {
        "level": "Patient",
        "group": None,
        "types": sorted(types),
        "since": None,
        "until": None,
        "filters": {},
        "elements": [],
        "patients": [id],
        "request": f"{exchange.services.base}/Patient/{id}/$portability",
    }
    event = Event("operation", 202, (Entity.of(stored),), query=f"{type}/$portability")
    return asking.begin(exchange, KIND, asked, event)[1]


def carry_out(services: Services, lease: Lease) -> Mapping[str, Any]:
    """The result: `at`, and `files`, which is the archive alone."""
    exported = exporting.carry_out(services, lease)
    view = services.store.view(Access.of(requester_of(lease.job), services.clock()))
    facts: dict[str, Any] = {ARCHIVE: lease.job.asked["patients"][0]}
    archive = _Archive(services, view, facts[ARCHIVE], exported["files"])
    file = services.store.files.write(zipped(archive.entries()), ZIP, lease.job.id, facts)
    for each in exported["files"]:
        services.store.files.delete(each["id"])
    return {"at": exported["at"], "files": [{"id": file.id, "type": ARCHIVE, "count": archive.count}]}


class _Archive:
    """What goes into an archive. `count`: resources, when all was taken."""

    def __init__(self, services: Services, view: View, patient: str, files: Iterable[Mapping[str, Any]]) -> None:
        self._services, self._view, self._exported = services, view, list(files)
        person = view.read("Patient", patient)
        self._zone = zone(jsontext.parse_object(person.body) if person is not None and not person.deleted else {})
        self._data: list[str] = []
        self._pages: list[str] = []
        self._documents: list[str] = []
        self.count = sum(each["count"] for each in self._exported)

    def entries(self) -> Iterator[tuple[str, Iterable[bytes]]]:
        """Names and contents, each to be taken before the next."""
        for number, each in enumerate(self._exported):
            type_ = each["type"]
            suffix = "" if self._first(number) else f"-{number}"
            name, shown = f"donnees/{type_}{suffix}.ndjson", f"lire/{type_}{suffix}.html"
            self._data.append(f'<li><a href="{escape(name)}">{escape(type_)}</a> : {each["count"]}</li>')
            self._pages.append(
                f'<li><a href="{escape(shown)}">{escape(readable.title(type_))}</a> : {each["count"]}</li>'
            )
            yield name, self._services.store.files.read(each["id"])
            yield shown, [readable.page(type_, self._lines(each["id"]), self._zone)]
            if enclosed := {"DocumentReference": self._contents, message.TYPE: self._enclosed}.get(type_):
                for resource in self._lines(each["id"]):
                    yield from enclosed(resource)
        at = self._services.clock().astimezone(ZoneInfo(self._zone)).strftime("%d/%m/%Y")
        lists = {"pages": self._pages, "documents": self._documents, "data": self._data}
        page = _PAGE.format(at=at, **{key: "".join(each) for key, each in lists.items()})
        yield "LISEZMOI.html", [page.encode()]

    def _lines(self, file: str) -> Iterator[dict[str, Any]]:
        return map(jsontext.parse_object, b"".join(self._services.store.files.read(file)).splitlines())

    def _first(self, number: int) -> bool:
        type_ = self._exported[number]["type"]
        return all(each["type"] != type_ for each in self._exported[:number])

    def _enclosed(self, sent: Mapping[str, Any]) -> Iterator[tuple[str, Iterable[bytes]]]:
        """What is attached to a message."""
        for place, attachment in enumerate(message.attachments(sent), 1):
            parts = self._bytes(attachment) if message.is_sent(sent) else None
            if parts is not None:
                media = str(attachment.get("contentType", "")).partition(";")[0].strip().lower()
                name = f"messages/{sent['id']}-{place}.{_SUFFIXES.get(media, 'bin')}"
                said, at = escape(str(attachment.get("title") or name)), self._when(sent.get("sent"))
                self._documents.append(f'<li><a href="{escape(name)}">{said}</a> {at}</li>')
                yield name, parts

    def _contents(self, document: Mapping[str, Any]) -> Iterator[tuple[str, Iterable[bytes]]]:
        title = document.get("description") or document.get("type", {}).get("text") or document["id"]
        for place, attachment in attachments(document):
            media = str(attachment.get("contentType", "")).partition(";")[0].strip().lower()
            name = f"documents/{document['id']}-{place + 1}.{'xml' if media in CDA else _SUFFIXES.get(media, 'bin')}"
            parts = self._bytes(attachment)
            if parts is None:
                self._documents.append(f"<li>{escape(str(title))} : contenu absent</li>")
                continue
            shown = name
            if media in CDA:
                parts = [data := b"".join(parts)]
                if (page := _page(data)) is not None:
                    shown = f"{name.removesuffix('.xml')}.html"
                    yield shown, [page]
            said = escape(str(attachment.get("title") or title))
            self._documents.append(f'<li><a href="{escape(shown)}">{said}</a> {self._when(document.get("date"))}</li>')
            yield name, parts

    def _when(self, value: object) -> str:
        return escape(readable.when(str(value or ""), self._zone))

    def _bytes(self, attachment: Mapping[str, Any]) -> Iterable[bytes] | None:
        """The content, of a Binary if the person sees it; None where there is none."""
        if "data" in attachment:
            return [contents.decoded(attachment["data"], "attachment.data")]
        place = keys.local(str(attachment.get("url", "")).removeprefix(f"{self._services.base}/"))
        binary = self._view.read(BINARY, place[1]) if place is not None and place[0] == BINARY else None
        if binary is None or binary.deleted:
            return None
        value = jsontext.parse_object(binary.body)
        if "data" in value:
            return [contents.decoded(value["data"], "Binary.data")]
        files = self._services.store.files
        found = files.owned(f"{BINARY}/{binary.id}")
        return files.read(found[-1].id) if found else None


def zipped(entries: Iterable[tuple[str, Iterable[bytes]]]) -> Iterator[bytes]:
    """A zip archive as it grows: no more of it is held than what was just written."""
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:  # type: ignore[call-overload]
        for name, parts in entries:
            with archive.open(name, "w", force_zip64=True) as out:
                for part in parts:
                    out.write(part)
                    yield sink.taken()
            yield sink.taken()
    yield sink.taken()


class _Sink:
    """What a zip archive is written to: it cannot go back."""

    def __init__(self) -> None:
        self._waiting = bytearray()

    def write(self, data: bytes) -> int:
        self._waiting += data
        return len(data)

    def flush(self) -> None:
        return

    def taken(self) -> bytes:
        found = bytes(self._waiting)
        self._waiting.clear()
        return found


def _page(data: bytes) -> bytes | None:
    """A CDA document as a page; None for one that cannot be shown."""
    try:
        return rendering.render(data, language="fr")
    except FhirError:
        return None
