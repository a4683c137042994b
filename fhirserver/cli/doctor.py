"""`fhirserver doctor`: examines an installation and says what is wrong; exit status 1 when there is an error."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from fhirserver.cli.opening import database_arguments, named

if TYPE_CHECKING:
    import argparse


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", metavar="FILE.toml", help="read settings from this file")
    database_arguments(parser, "folder of the embedded database (default ./data)")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="json: one finding a line")


def run(options: argparse.Namespace) -> int:
    from fhirserver.doctor import examination

    levels = []
    for finding in examination(named(options)):
        levels.append(finding.level)
        if options.format == "json":
            print(json.dumps(finding._asdict(), ensure_ascii=False), flush=True)
        else:
            print(f"{finding.level:8}{finding.subject:20}{finding.text}", flush=True)
    return 1 if "error" in levels else 0
