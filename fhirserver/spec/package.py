"""A package: conformance resources in an archive, a published file or a folder, found by canonical and loaded when
asked for (https://hl7.org/fhir/R4/packages.html)."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from fhirserver.spec import parameters
from fhirserver.spec.archive import Archive, Entry
from fhirserver.spec.files import Folder, Published

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fhirserver.spec.parameters import SearchParameter

CORE: Final = Path(__file__).with_name("data") / "r4.sqlite"


class Source(Protocol):
    """Where the resources of a package lie."""

    def entries(self, resource_type: str | None = None) -> Sequence[Entry]: ...

    def by_url(self, url: str) -> Sequence[Entry]: ...

    def load(self, key: int | str) -> Any: ...

    def fact(self, key: str) -> Any | None: ...


class Package:
    """An indexed set of conformance resources with a name and a version."""

    def __init__(self, source: Source, name: str, version: str) -> None:
        self.source = source
        self.name = name
        self.version = version

    @classmethod
    def core(cls) -> Package:
        """R4 4.0.1, as shipped."""
        return cls.from_archive(CORE)

    @classmethod
    def from_archive(cls, path: Path | str) -> Package:
        """An archive that `tools/build_spec.py` wrote."""
        source = Archive(Path(path))
        described = source.fact("package") or {}
        return cls(source, described.get("name", Path(path).stem), described.get("version", ""))

    @classmethod
    def from_tgz(cls, path: Path | str) -> Package:
        """A published package. Raises BadPackage when the file is not one."""
        source = Published(Path(path))
        return cls(source, source.name, source.version)

    @classmethod
    def from_folder(cls, path: Path | str, name: str | None = None, version: str = "") -> Package:
        """A folder of JSON files, one resource a file."""
        return cls(Folder(Path(path)), name or Path(path).name, version)

    def entries(self, resource_type: str | None = None) -> Sequence[Entry]:
        """The index, or the part of it that concerns a resource type."""
        return self.source.entries(resource_type)

    def by_url(self, url: str, resource_type: str | None = None) -> list[Entry]:
        """The entries of a canonical URL without version."""
        return [item for item in self.source.by_url(url) if resource_type in (None, item.resource_type)]

    def load(self, entry: Entry) -> Any:
        """The resource of an entry."""
        return self.source.load(entry.key)

    def fact(self, key: str) -> Any | None:
        """What was computed when the archive was built; None in other packages."""
        return self.source.fact(key)

    def search_parameters(self, base: str) -> Sequence[SearchParameter]:
        """The search parameters that the package defines on a type, not those of its ancestors."""
        rows = self.fact(f"search/{base}")
        return self._parameters.get(base, ()) if rows is None else list(parameters.from_rows(rows))

    @functools.cached_property
    def _parameters(self) -> dict[str, list[SearchParameter]]:
        found: dict[str, list[SearchParameter]] = {}
        if self.fact("package") is None:
            for entry in self.entries("SearchParameter"):
                for base, parameter in parameters.from_resource(self.load(entry)):
                    found.setdefault(base, []).append(parameter)
        return found

    def __repr__(self) -> str:
        return f"Package({self.name!r}, {self.version!r})"


@functools.cache
def core() -> Package:
    """R4 4.0.1, one instance a process."""
    return Package.core()
