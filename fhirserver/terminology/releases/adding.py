"""Adds a release to the folder of packages: whole, or not at all."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NamedTuple

from fhirserver.spec import installed
from fhirserver.terminology.releases import ccam, cim10, loinc, snomed
from fhirserver.terminology.releases.release import BadRelease, Release
from fhirserver.terminology.releases.writer import Writer
from fhirserver.terminology.tables import RELEASE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from fhirserver.terminology.releases.release import Progress
    from fhirserver.terminology.releases.writer import Head


class Kind(NamedTuple):
    """How a release is read: `head` tells its version from file names, `fill` reads its concepts."""

    head: Callable[[Release, str | None], Head]
    fill: Callable[[Release, Writer], None]


KINDS: Final = {
    "loinc": Kind(loinc.head, loinc.fill),
    "snomed": Kind(snomed.head, snomed.fill),
    "cim10": Kind(cim10.head, cim10.fill),
    "ccam": Kind(ccam.head, ccam.fill),
}


def add(
    kind: str,
    paths: Sequence[Path],
    folder: Path,
    *,
    release: str | None = None,
    system: str | None = None,
    progress: Progress | None = None,
) -> installed.Installed:
    """Adds a release; `release` is its version where its files do not tell, `system` another URI for its codes.

    Raises BadRelease for files that are not such a release, and spec.installed.Conflict when another version is there.
    A file that is broken half-way leaves nothing behind.
    """
    files = Release(paths, progress)
    head = KINDS[kind].head(files, release)
    if system:
        head = head._replace(url=system)
    path = installed.place(kind, head.release, folder)
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder):
        return _write(Writer(path.with_suffix(".partial")), KINDS[kind], files, head, kind, path)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Holds a lock that ends with the process. Raises Conflict when another process has it."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise installed.Conflict(f"Another release is being added to {folder}.") from None
    finally:
        os.close(handle)


def _write(writer: Writer, how: Kind, files: Release, head: Head, kind: str, path: Path) -> installed.Installed:
    try:
        how.fill(files, writer)
        if not writer.concepts:
            raise BadRelease(f"{files.paths[0]} is not such a release: there is no concept in it.")
        described = {"name": kind, "version": head.release}
        counted = {"depends": {}, "concepts": writer.concepts, "count": writer.resources + 1}
        told = {"url": head.url, "version": head.version}
        writer.finish(kind, head, {"package": described, RELEASE: told, installed.MANIFEST: described | counted})
        writer.close()
        writer.path.replace(path)
    except sqlite3.Error as error:
        raise BadRelease(f"{files.paths[0]} cannot be stored: {error}.") from None
    finally:
        writer.close()
        writer.path.unlink(missing_ok=True)
    return installed.Installed(kind, head.release, path, {}, writer.resources + 1, writer.concepts)
