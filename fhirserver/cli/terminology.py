"""`fhirserver terminology add`: releases of LOINC, SNOMED CT, CIM-10 and CCAM that a user brings."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tqdm import tqdm

from fhirserver.cli import Problem
from fhirserver.cli.package import packages_folder

if TYPE_CHECKING:
    import argparse

_KINDS: Final = ("loinc", "snomed", "cim10", "ccam")


class _Bar:
    """Progress on a terminal, by bytes read."""

    def __init__(self, bar: tqdm[Any]) -> None:
        self._bar = bar

    def expect(self, count: int) -> None:
        self._bar.total = (self._bar.total or 0) + count
        self._bar.refresh()

    def done(self, count: int) -> None:
        self._bar.update(count)


def arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    add = actions.add_parser("add", help="add a release; a running server takes it up", allow_abbrev=False)
    add.add_argument("files", metavar="FILE", nargs="+", type=Path, help="the release: zip, folder or files")
    add.add_argument("--kind", required=True, choices=_KINDS, help="what it is a release of")
    add.add_argument("--release", metavar="VERSION", help="its version, where the names of its files do not tell")
    add.add_argument("--system", metavar="URI", help="the URI of its codes, where another than usual is in use")
    add.add_argument("--config", metavar="FILE.toml", help="read settings from this file")
    add.add_argument("--data", metavar="DIR", help="folder of the embedded database (default ./data)")


def run(options: argparse.Namespace) -> int:
    from fhirserver.spec import BadPackage, installed
    from fhirserver.terminology import releases

    folder = packages_folder(options)
    try:
        with tqdm(unit="B", unit_scale=True, disable=None, file=sys.stderr, desc=options.kind) as bar:
            added = releases.add(
                options.kind,
                options.files,
                folder,
                release=options.release,
                system=options.system,
                progress=_Bar(bar),
            )
    except (releases.BadRelease, BadPackage, installed.Conflict) as error:
        raise Problem(str(error)) from None
    except OSError as error:
        raise Problem(f"{error.filename or folder}: {error.strerror}.") from None
    print(f"added {added.name} {added.version}: {added.told}")
    return 0
