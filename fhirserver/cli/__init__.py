"""The command line: one module a command, imported only when it is called."""

from __future__ import annotations

import argparse
import importlib
import sys
from typing import TYPE_CHECKING, Final

from fhirserver import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence

COMMANDS: Final = {
    "serve": "run the server",
    "load": "send resources and Bundles to a server",
    "validate": "hold files to the profiles",
    "package": "add published guides",
    "terminology": "add releases of LOINC, SNOMED CT, CIM-10, CCAM",
    "reindex": "index anew what a server stores",
    "token": "print a development token",
    "key": "the keys that sign tokens: list, rotate",
    "settings": "print all settings with their meaning",
    "account": "operators' accounts, and provisional codes for patients",
    "espace": "open spaces, have happen what is due, erase",
    "client": "register, reference and suspend apps and systems",
    "audit": "check the chain of traces",
    "migrate": "bring what older versions stored to this version's format",
    "backup": "write the database into a folder",
    "restore": "bring a backup back into an empty database",
    "doctor": "examine an installation",
    "conformance": "run TestScripts against any FHIR server",
}


class Problem(Exception):
    """A command that cannot go on; the text is for its user."""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; returns its exit status (2: wrong use, 1: it failed)."""
    words = list(sys.argv[1:] if argv is None else argv)
    named = words[0] if words and words[0] in COMMANDS else None
    parser = argparse.ArgumentParser(
        prog="fhirserver", description="A FHIR R4 server for the French health record.", allow_abbrev=False
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, meaning in COMMANDS.items():
        command = commands.add_parser(name, help=meaning, description=meaning.capitalize() + ".", allow_abbrev=False)
        if name == named:
            module = importlib.import_module(f"fhirserver.cli.{name}")
            module.arguments(command)
            command.set_defaults(run=module.run)
    options = parser.parse_args(words)
    try:
        status: int = options.run(options)
    except Problem as problem:
        print(f"fhirserver {options.command}: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 1
    return status
