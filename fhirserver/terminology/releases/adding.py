"""Adds a release to the folder of packages: whole, or not at all."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Final, NamedTuple

from fhirserver.spec import installed
from fhirserver.terminology.releases import ccam, cim10, loinc, snomed
from fhirserver.terminology.releases.release import BadRelease, Release
from fhirserver.terminology.releases.writer import Writer
from fhirserver.terminology.tables import RELEASE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
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
    partial = path.with_suffix(".partial")
    writer = Writer(partial)
    try:
        KINDS[kind].fill(files, writer)
        if not writer.concepts:
            raise BadRelease(f"{paths[0]} is not such a release: there is no concept in it.")
        described = {"name": kind, "version": head.release}
        counted = {"depends": {}, "concepts": writer.concepts, "count": writer.resources + 1}
        told = {"url": head.url, "version": head.version}
        writer.finish(kind, head, {"package": described, RELEASE: told, installed.MANIFEST: described | counted})
        writer.close()
        partial.replace(path)
    except sqlite3.Error as error:
        raise BadRelease(f"{paths[0]} cannot be stored: {error}.") from None
    finally:
        writer.close()
        partial.unlink(missing_ok=True)
    return installed.Installed(kind, head.release, path, {}, writer.resources + 1, writer.concepts)
