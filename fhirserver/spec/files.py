"""Packages as files: a published `.tgz` and a folder of JSON."""

from __future__ import annotations

import functools
import os
import tarfile
import tempfile
import weakref
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from fhirserver import jsontext
from fhirserver.errors import InvalidJson
from fhirserver.spec.archive import Entry, entry

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class BadPackage(ValueError):
    """The file is not a FHIR package."""


class Index:
    """Entries by canonical URL."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self.all = list(entries)
        self.by_url: dict[str, list[Entry]] = {}
        for item in self.all:
            if item.url:
                self.by_url.setdefault(item.url, []).append(item)


class Folder:
    """Every `*.json` of a folder and its subfolders, read once for the index and again when asked for."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @functools.cached_property
    def _index(self) -> Index:
        found = []
        for file in sorted(self.path.rglob("*.json")):
            resource = _loads(file.read_bytes(), str(file))
            if isinstance(resource, dict) and isinstance(resource.get("resourceType"), str):
                found.append(entry(str(file), resource))
        return Index(found)

    def entries(self, resource_type: str | None = None) -> Sequence[Entry]:
        return [item for item in self._index.all if resource_type in (None, item.resource_type)]

    def by_url(self, url: str) -> Sequence[Entry]:
        return self._index.by_url.get(url, ())

    def load(self, key: int | str) -> Any:
        return _parse(Path(str(key)).read_bytes(), str(key))

    def fact(self, key: str) -> Any | None:
        return None


class _Span(NamedTuple):
    offset: int
    size: int


class Published:
    """A published package: unpacked once into an unnamed temporary file, where any resource is then a read away."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with tarfile.open(path) as tar:
                manifest = _member(tar, "package/package.json")
        except (OSError, tarfile.TarError, zlib.error, EOFError) as error:
            raise BadPackage(f"{path} is not a FHIR package: {error}.") from None
        described = _loads(manifest, f"{path}: package.json") if manifest else None
        if not isinstance(described, dict) or "name" not in described:
            raise BadPackage(f"{path} is not a FHIR package: it has no package/package.json with a name.")
        self.name: str = described["name"]
        self.version: str = described.get("version", "")

    @functools.cached_property
    def _unpacked(self) -> tuple[int, dict[str, _Span], Index]:
        with tempfile.TemporaryFile() as spool:
            spans: dict[str, _Span] = {}
            found: list[Entry] = []
            with tarfile.open(self.path) as tar:
                for member in tar:
                    folder, _, name = member.name.partition("/")
                    if folder != "package" or "/" in name or not name.endswith(".json") or not member.isfile():
                        continue
                    file = tar.extractfile(member)
                    body = file.read() if file else b""
                    resource = _loads(body, member.name)
                    if isinstance(resource, dict) and "url" in resource and "resourceType" in resource:
                        spans[name] = _Span(spool.tell(), len(body))
                        spool.write(body)
                        found.append(entry(name, resource))
            spool.flush()
            descriptor = os.dup(spool.fileno())
        weakref.finalize(self, os.close, descriptor)
        return descriptor, spans, Index(found)

    def entries(self, resource_type: str | None = None) -> Sequence[Entry]:
        return [item for item in self._unpacked[2].all if resource_type in (None, item.resource_type)]

    def by_url(self, url: str) -> Sequence[Entry]:
        return self._unpacked[2].by_url.get(url, ())

    def load(self, key: int | str) -> Any:
        descriptor, spans, _ = self._unpacked
        span = spans[str(key)]
        return _parse(os.pread(descriptor, span.size, span.offset), str(key))

    def fact(self, key: str) -> Any | None:
        return None


def _member(tar: tarfile.TarFile, name: str) -> bytes | None:
    for member in tar:
        if member.name == name:
            file = tar.extractfile(member)
            return file.read() if file else None
    return None


def _parse(body: bytes, name: str) -> Any:
    """JSON with its decimals as written."""
    try:
        return jsontext.parse(body)
    except InvalidJson as error:
        raise BadPackage(f"{name}: {error}") from None


def _loads(body: bytes, name: str) -> Any:
    try:
        return orjson.loads(body.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError as error:
        raise BadPackage(f"{name} is not JSON: {error}.") from None
