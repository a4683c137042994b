"""`fhirserver package add|list|remove`: published guides whose profiles and terminology a server then enforces."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from fhirserver import settings as settings_
from fhirserver.cli import Problem

if TYPE_CHECKING:
    import argparse

    from fhirserver.spec.installed import Installed

_SHOWN: Final = 10


def arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    for name, meaning in (
        ("add", "add a published package; a running server takes it up within a second or two"),
        ("list", "print what was added"),
        ("remove", "remove a package"),
    ):
        action = actions.add_parser(name, help=meaning, allow_abbrev=False)
        if name == "add":
            action.add_argument("file", metavar="FILE.tgz", type=Path, help="the package, as published")
        elif name == "remove":
            action.add_argument("name", metavar="NAME", help="its name, such as hl7.fhir.fr.core")
        action.add_argument("--config", metavar="FILE.toml", help="read settings from this file")
        action.add_argument("--data", metavar="DIR", help="folder of the embedded database (default ./data)")


def run(options: argparse.Namespace) -> int:
    from fhirserver.spec import BadPackage, installed

    folder = packages_folder(options)
    try:
        if options.action == "add":
            return _add(options.file, folder)
        if options.action == "remove":
            removed = installed.remove(options.name, folder)
            print(f"removed {removed.name} {removed.version}")
            return 0
    except (BadPackage, installed.Conflict) as error:
        raise Problem(str(error)) from None
    except OSError as error:
        raise Problem(f"{error.filename or folder}: {error.strerror}.") from None
    for each in installed.listed(folder):
        print(f"{each.name} {each.version}: {each.told}")
    return 0


def packages_folder(options: argparse.Namespace) -> Path:
    """Where added packages lie, by `--data` or the settings. Raises Problem."""
    from fhirserver.serving.supervisor import DEFAULT_FOLDER

    if options.data:
        return Path(options.data) / settings_.PACKAGES
    try:
        settings = settings_.load(options.config)
    except settings_.SettingsError as error:
        raise Problem(str(error)) from None
    return settings.packages_folder or Path(DEFAULT_FOLDER) / settings_.PACKAGES


def _add(file: Path, folder: Path) -> int:
    from fhirserver.spec import installed

    added, missing = installed.add(file, folder)
    print(f"added {added.name} {added.version}: {added.resources} resources")
    for each in missing:
        print(f"warning: it depends on {each}, which is not installed", file=sys.stderr)
    unusable = _unusable(added, folder)
    for url in unusable[:_SHOWN]:
        print(f"warning: not enforceable: {url}", file=sys.stderr)
    if len(unusable) > _SHOWN:
        print(f"warning: and {len(unusable) - _SHOWN} more", file=sys.stderr)
    return 0


def _unusable(added: Installed, folder: Path) -> list[str]:
    """The profiles that cannot be compiled, most often for what the package depends on."""
    from fhirserver.spec import Definitions, installed
    from fhirserver.spec.snapshot import SnapshotError

    packages = installed.load(folder)
    definitions = Definitions([*packages, *Definitions.french().packages])
    found = []
    for package in packages:
        if package.name != added.name:
            continue
        for entry in package.entries("StructureDefinition"):
            try:
                definitions.structure(f"{entry.url}|{entry.version}" if entry.version else str(entry.url))
            except SnapshotError as error:
                found.append(f"{entry.url}: {error}")
    return found
