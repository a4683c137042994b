"""Files and folders to the requests that load them: Bundles, single resources, NDJSON, packed by gzip or xz or not.

XML is sent as the JSON that it means; a CDA document as it is.
"""

from __future__ import annotations

import gzip
import hashlib
import lzma
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fhirserver import jsontext
from fhirserver.errors import InvalidJson, InvalidXml

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ENDINGS: Final = (".json", ".ndjson", ".xml")
PACKINGS: Final = (".gz", ".xz")
FHIR_JSON: Final = "application/fhir+json"
CDA: Final = "$cda"
CDA_MEDIA: Final = "application/hl7-v3+xml"


class Item(NamedTuple):
    """One request to send. `key` names its content and place, so that a second run knows it again."""

    key: str
    origin: str
    method: str
    path: str
    body: bytes
    media: str = FHIR_JSON

    @property
    def repeatable(self) -> bool:
        """Whether it may be sent again when its answer was lost: what is there already is not stored twice."""
        return self.method != "POST" or self.path == CDA


class Unreadable(NamedTuple):
    """Something in a file that cannot be sent, and why."""

    origin: str
    reason: str


def files(paths: Sequence[Path]) -> Iterator[Path]:
    """The files named, and those with a known ending in folders named, sorted. Raises FileNotFoundError."""
    for path in paths:
        if path.is_dir():
            yield from sorted(each for each in path.rglob("*") if each.is_file() and _ending(each) in ENDINGS)
        elif path.is_file():
            yield path
        else:
            raise FileNotFoundError(f"{path} does not exist.")


def items(path: Path) -> Iterator[Item | Unreadable]:
    """What a file holds, in order: line by line for NDJSON, else as one."""
    try:
        if _ending(path) == ".ndjson":
            with _opened(path) as lines:
                for number, line in enumerate(lines, 1):
                    if line.strip():
                        yield from _of_text(line, f"{path}:{number}", exported=True)
        else:
            with _opened(path) as file:
                content = file.read()
            if _ending(path) == ".xml" and _is_cda(content):
                yield _item(str(path), "POST", CDA, content, CDA_MEDIA)
            else:
                yield from _of_text(_as_json(content) if _ending(path) == ".xml" else content, str(path))
    except InvalidXml as error:
        yield Unreadable(str(path), error.text)
    except (OSError, EOFError, lzma.LZMAError) as error:
        yield Unreadable(str(path), f"cannot be read: {error}")


def _as_json(content: bytes) -> bytes:
    from fhirserver import xmltext
    from fhirserver.spec import Definitions

    return jsontext.dump(xmltext.parse(content, Definitions.core()))


def _of_text(text: bytes, origin: str, *, exported: bool = False) -> Iterator[Item | Unreadable]:
    """What a text brings. A Bundle is taken apart, unless a server wrote it to an export as one that it stores."""
    try:
        resource = jsontext.parse_object(text)
    except InvalidJson as error:
        yield Unreadable(origin, error.text)
        return
    if exported and "id" in resource and isinstance(meta := resource.get("meta"), dict) and "versionId" in meta:
        yield _of_resource(resource, origin)
    elif resource.get("resourceType") == "Bundle" and resource.get("type") in ("transaction", "batch"):
        yield _item(origin, "POST", "", text)
    elif resource.get("resourceType") == "Bundle" and resource.get("type") in ("collection", "searchset", "history"):
        yield from _entries(resource, origin)
    else:
        yield _of_resource(resource, origin)


def _entries(bundle: dict[str, Any], origin: str) -> Iterator[Item | Unreadable]:
    for place, entry in enumerate(bundle.get("entry", [])):
        where = f"{origin}#entry[{place}]"
        resource = entry.get("resource") if isinstance(entry, dict) else None
        yield _of_resource(resource, where) if isinstance(resource, dict) else Unreadable(where, "brings no resource")


def _of_resource(resource: dict[str, Any], origin: str) -> Item | Unreadable:
    """A resource that has an id keeps it, so that references to it hold."""
    type, id = resource.get("resourceType"), resource.get("id")
    if not isinstance(type, str) or not type.isalpha():
        return Unreadable(origin, "is not a FHIR resource: resourceType is missing")
    if isinstance(id, str):
        return _item(origin, "PUT", f"{type}/{id}", jsontext.dump(resource))
    return _item(origin, "POST", type, jsontext.dump(resource))


def _is_cda(content: bytes) -> bool:
    from fhirserver.documents.cda import is_cda

    return is_cda(content)


def _item(origin: str, method: str, path: str, body: bytes, media: str = FHIR_JSON) -> Item:
    return Item(hashlib.sha256(origin.encode() + b"\0" + body).hexdigest()[:32], origin, method, path, body, media)


def _ending(path: Path) -> str:
    return Path(path.stem).suffix.lower() if path.suffix.lower() in PACKINGS else path.suffix.lower()


def _opened(path: Path) -> Any:
    match path.suffix.lower():
        case ".gz":
            return gzip.open(path, "rb")
        case ".xz":
            return lzma.open(path, "rb")
        case _:
            return path.open("rb")
