"""What a document holds: bytes sent inside it become a Binary (IHE ITI-105), and hash and size are held to the bytes.

`attachment.hash` is the SHA-1 of the bytes in base64, `attachment.size` their number (FHIR R4, Attachment; PDSm).
"""

from __future__ import annotations

import base64
import binascii
import copy
import hashlib
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fhirserver import jsontext
from fhirserver.errors import BadRequest, Unprocessable
from fhirserver.rest.documents.belonging import BINARY, attachments
from fhirserver.rest.documents.changes import DOCUMENT

if TYPE_CHECKING:
    from fhirserver.rest.exchange import Exchange
    from fhirserver.store import Stored

SIMPLIFIED: Final = (
    "https://interop.esante.gouv.fr/ig/fhir/pdsm/StructureDefinition/pdsm-simplified-publish",
    "https://profiles.ihe.net/ITI/MHD/StructureDefinition/IHE.MHD.SimplifiedPublish.DocumentReference",
)
"""Profiles of what is sent with its bytes inside: what is stored is of that form no more, and does not claim it."""


class Content(NamedTuple):
    """Bytes as a document tells of them: SHA-1 in base64, and how many."""

    hash: str
    size: int

    @classmethod
    def of(cls, data: bytes) -> Content:
        return cls(base64.b64encode(hashlib.sha1(data, usedforsecurity=False).digest()).decode(), len(data))


class Published(NamedTuple):
    """A document without bytes, and by the place of its content the Binaries that hold them, without ids."""

    document: dict[str, Any]
    binaries: dict[int, dict[str, Any]]


def published(document: dict[str, Any]) -> Published:
    """Takes the bytes out of a document, checked and measured; `url` is left to be set. Raises Unprocessable."""
    if not any("data" in attachment for _, attachment in attachments(document)):
        return Published(document, {})
    document = copy.deepcopy(document)
    binaries: dict[int, dict[str, Any]] = {}
    for place, attachment in attachments(document):
        if "data" not in attachment:
            continue
        where = f"{DOCUMENT}.content[{place}].attachment"
        if "url" in attachment:
            raise Unprocessable(f"{where} has data and url: send one of them.", expression=where)
        data = attachment.pop("data")
        measure(place, attachment, Content.of(decoded(data, f"{where}.data")))
        media = attachment.get("contentType", "application/octet-stream")
        binaries[place] = {"resourceType": BINARY, "contentType": media, "data": data}
    _unclaim(document)
    return Published(document, binaries)


def measure(place: int, attachment: dict[str, Any], content: Content) -> None:
    """Holds what an attachment says to its bytes, and says what it does not. Raises Unprocessable."""
    for name, value in (("hash", content.hash), ("size", content.size)):
        if attachment.setdefault(name, value) != value:
            where = f"{DOCUMENT}.content[{place}].attachment.{name}"
            raise Unprocessable(f"{where} is not that of the bytes sent, which is {value}.", expression=where)


def of_stored(exchange: Exchange, binary: Stored) -> Content:
    """The bytes of a stored Binary, measured."""
    value = jsontext.parse_object(binary.body)
    if "data" not in value and (files := exchange.services.store.files.owned(f"{BINARY}/{binary.id}")):
        return Content(base64.b64encode(bytes.fromhex(files[-1].sha1)).decode(), files[-1].length)
    return Content.of(decoded(value.get("data", ""), f"{BINARY}.data"))


def decoded(data: Any, where: str) -> bytes:
    """The bytes. Raises BadRequest for what is no base64."""
    try:
        return base64.b64decode("".join(data.split()), validate=True)
    except (AttributeError, binascii.Error, ValueError):
        raise BadRequest(f"{where} is not base64.", expression=where) from None


def _unclaim(document: dict[str, Any]) -> None:
    meta = document.get("meta")
    if not isinstance(meta, dict) or "profile" not in meta:
        return
    kept = [each for each in meta["profile"] if str(each).partition("|")[0] not in SIMPLIFIED]
    document["meta"] = {name: value for name, value in meta.items() if name != "profile"}
    if kept:
        document["meta"]["profile"] = kept
    if not document["meta"]:
        del document["meta"]
