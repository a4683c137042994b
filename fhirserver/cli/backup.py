"""`fhirserver backup`: writes the whole database into a folder, as of one moment, while the server works on."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from fhirserver.cli import Problem
from fhirserver.cli.opening import database_arguments, named, reached, trace_of

if TYPE_CHECKING:
    import argparse


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="a new folder; it holds health data: keep it safe")
    database_arguments(parser)


def run(options: argparse.Namespace) -> int:
    from tqdm import tqdm

    from fhirserver.store.backup import backup
    from fhirserver.store.errors import StoreError

    settings = named(options)
    trace = trace_of("backup", settings)
    try:
        with reached(settings) as uri, tqdm(unit="document", file=sys.stderr, disable=None) as bar:
            told = backup(uri, settings.database, options.folder, bar.update, trace=trace)
    except (StoreError, OSError) as error:
        raise Problem(str(error)) from None
    print(f"{told.documents} documents of {told.collections} collections, {told.bytes} bytes: {options.folder}")
    return 0
