"""Packages that were added to a server: archives in a folder, `<name>#<version>.sqlite`, whole or not there at all."""

from __future__ import annotations

import os
import re
import sqlite3
import tarfile
import zlib
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fhirserver.spec import archive
from fhirserver.spec.canonical import BASE
from fhirserver.spec.files import BadPackage
from fhirserver.spec.package import Package

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

SUFFIX: Final = ".sqlite"
MANIFEST: Final = "manifest"
BUILT_IN: Final = {"hl7.fhir.r4.core": "4.0.1"}
"""Packages that every server has."""

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.\-_]{0,126}")
_MOST_BYTES: Final = 1 << 30
"""Of a package, unpacked: the largest in use have a tenth."""


class Conflict(ValueError):
    """A package cannot be added or removed beside those that are there."""


class Installed(NamedTuple):
    """A package of the folder; `depends` name -> version, as its package.json says; `concepts` of a release."""

    name: str
    version: str
    path: Path
    depends: Mapping[str, str]
    resources: int
    concepts: int = 0

    @property
    def told(self) -> str:
        """What it holds, in words."""
        return f"{self.concepts} concepts" if self.concepts else f"{self.resources} resources"


def listed(folder: Path) -> list[Installed]:
    """The packages of a folder by name; none when there is no folder. Files that are no archive are passed over."""
    found = []
    for path in sorted(folder.glob(f"*{SUFFIX}")) if folder.is_dir() else ():
        try:
            manifest = archive.Archive(path).fact(MANIFEST)
        except (sqlite3.Error, zlib.error, ValueError):
            continue
        if manifest:
            found.append(
                Installed(
                    manifest["name"],
                    manifest["version"],
                    path,
                    manifest["depends"],
                    manifest["count"],
                    manifest.get("concepts", 0),
                )
            )
    return found


def load(folder: Path) -> list[Package]:
    """The packages of a folder, held in memory: they stay whole when their files are removed."""
    return [Package(archive.Held(each.path), each.name, each.version) for each in listed(folder)]


def stamp(folder: Path) -> tuple[tuple[str, int, int], ...]:
    """Changes when a package is added or removed."""
    try:
        with os.scandir(folder) as entries:
            return tuple(sorted(_facts(each) for each in entries if each.name.endswith(SUFFIX)))
    except OSError:
        return ()


def _facts(entry: os.DirEntry[str]) -> tuple[str, int, int]:
    status = entry.stat()
    return entry.name, status.st_mtime_ns, status.st_size


def add(tgz: Path, folder: Path) -> tuple[Installed, list[str]]:
    """Adds a published package; what its dependencies lack comes back in words.

    Raises BadPackage for a file that is none for R4, and Conflict for versions that do not go together. Nothing of the
    file is unpacked to a path that it names.
    """
    _bounded(tgz)
    package = Package.from_tgz(tgz)
    manifest = _manifest(tgz)
    _check_fhir_version(package, manifest)
    name, version = package.name, package.version
    if not _NAME.fullmatch(name) or not _NAME.fullmatch(version):
        raise BadPackage(f"{tgz} is not a FHIR package: {name!r} {version!r} cannot be a name and version.")
    depends = manifest.get("dependencies") or {}
    if not isinstance(depends, dict) or not all(isinstance(each, str) for each in depends.values()):
        raise BadPackage(f"{tgz} is not a FHIR package: its dependencies are not names with versions.")
    others = [each for each in listed(folder) if (each.name, each.version) != (name, version)]
    missing = _fitting(name, version, depends, others)
    resources = list(_resources(package))
    added = Installed(name, version, folder / f"{name}#{version}{SUFFIX}", depends, len(resources))
    facts = {
        "package": {"name": name, "version": version},
        MANIFEST: {"name": name, "version": version, "depends": depends, "count": added.resources},
    }
    folder.mkdir(parents=True, exist_ok=True)
    partial = added.path.with_suffix(".partial")
    try:
        archive.write(partial, resources, facts)
        partial.replace(added.path)
    finally:
        partial.unlink(missing_ok=True)
    return added, missing


def place(name: str, version: str, folder: Path) -> Path:
    """Where a package without dependencies will lie. Raises Conflict when another version is there."""
    if not _NAME.fullmatch(version):
        raise BadPackage(f"{version!r} cannot be the version of a package: letters, digits, dots and dashes only.")
    _fitting(name, version, {}, [each for each in listed(folder) if (each.name, each.version) != (name, version)])
    return folder / f"{name}#{version}{SUFFIX}"


def remove(name: str, folder: Path) -> Installed:
    """Removes the package of that name. Raises Conflict when it is not there, or another needs it."""
    packages = listed(folder)
    for each in packages:
        if each.name == name:
            needing = [other.name for other in packages if name in other.depends]
            if needing:
                raise Conflict(f"{name} is needed by {', '.join(needing)}.")
            each.path.unlink()
            return each
    raise Conflict(f"{name} is not installed.")


def _bounded(tgz: Path) -> None:
    total = 0
    try:
        with tarfile.open(tgz) as tar:
            for member in tar:
                total += member.size
                if total > _MOST_BYTES:
                    raise BadPackage(f"{tgz} is not taken: unpacked it is larger than {_MOST_BYTES} bytes.")
    except FileNotFoundError:
        raise BadPackage(f"There is no file {tgz}.") from None
    except (OSError, tarfile.TarError, zlib.error, EOFError) as error:
        raise BadPackage(f"{tgz} is not a FHIR package: {str(error).splitlines()[0].rstrip(':')}.") from None


def _manifest(tgz: Path) -> dict[str, Any]:
    """The package.json, which `Package.from_tgz` has found sound."""
    with tarfile.open(tgz) as tar:
        for member in tar:
            file = tar.extractfile(member) if member.name == "package/package.json" else None
            if file is not None:
                found: dict[str, Any] = archive.loads(file.read().removeprefix(b"\xef\xbb\xbf"))
                return found
    raise BadPackage(f"{tgz} is not a FHIR package: it has no package/package.json.")


def _check_fhir_version(package: Package, manifest: Mapping[str, Any]) -> None:
    versions = manifest.get("fhirVersions") or manifest.get("fhir-version-list") or []
    if versions and not any(str(each).startswith("4.0") for each in versions):
        raise BadPackage(f"{package.name} is for FHIR {', '.join(map(str, versions))}, not for R4 (4.0.1).")
    if package.name in BUILT_IN:
        raise BadPackage(f"{package.name} is built in.")


def _resources(package: Package) -> Iterator[Any]:
    """The package's resources without narratives. Raises BadPackage for one that says anew what R4 itself defines."""
    for entry in package.entries():
        if entry.derivation == "specialization" and str(entry.url).startswith(BASE):
            raise BadPackage(f"{package.name} defines {entry.type} anew, a type of FHIR itself.")
        resource = package.load(entry)
        resource.pop("text", None)
        yield resource


def _fitting(name: str, version: str, depends: Mapping[str, str], others: list[Installed]) -> list[str]:
    """What is missing. Raises Conflict where a version that is asked for is not the one that is there."""
    present = BUILT_IN | {each.name: each.version for each in others}
    if name in present:
        raise Conflict(f"{name} {present[name]} is installed; remove it before you add {version}.")
    for each in others:
        if not _meets(version, each.depends.get(name, version)):
            raise Conflict(f"{each.name} {each.version} needs {name} {each.depends[name]}, not {version}.")
    missing = []
    for needed, wanted in depends.items():
        if needed not in present:
            missing.append(f"{needed} {wanted}")
        elif not _meets(present[needed], wanted):
            raise Conflict(f"{name} {version} needs {needed} {wanted}; {present[needed]} is installed.")
    return missing


def _meets(version: str, wanted: str) -> bool:
    """Whether a version is the one wanted, but for its patch: `6.0.3` meets `6.0.2` and `6.0.x`."""
    if wanted in (version, "current", "latest", "dev"):
        return True
    return version.split(".")[:2] == wanted.split(".")[:2]
