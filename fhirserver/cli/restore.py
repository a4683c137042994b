"""`fhirserver restore`: brings a backup back into an empty database, after all of it was held to its digests."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from fhirserver.cli import Problem
from fhirserver.cli.opening import database_arguments, named, reached, trace_of

if TYPE_CHECKING:
    import argparse

    from fhirserver.settings import Settings


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="what `fhirserver backup` wrote")
    database_arguments(parser, "folder of a new embedded database")
    parser.add_argument(
        "--erasures", type=Path, metavar="FILE", help="who was erased since (erasure_file): they are erased again"
    )
    parser.add_argument("--key-file", metavar="FILE", help="the server's own key, with --erasures and --mongo")


def run(options: argparse.Namespace) -> int:
    from tqdm import tqdm

    from fhirserver.store import backup
    from fhirserver.store.errors import StoreError

    settings = named(options)
    trace = trace_of("restore", settings)
    try:
        expected = sum(each["count"] for each in backup.read(options.folder)["collections"].values())
        with (
            reached(settings) as uri,
            tqdm(total=expected, unit="document", file=sys.stderr, disable=None) as bar,
        ):
            told = backup.restore(uri, settings.database, options.folder, bar.update, trace=trace)
    except (StoreError, OSError) as error:
        raise Problem(str(error)) from None
    print(f"{told.documents} documents of {told.collections} collections restored")
    if options.erasures:
        _erase_again(options.erasures, settings)
    return 0


def _erase_again(erasures: Path, settings: Settings) -> None:
    from fhirserver.cli import espace

    told = espace.told(erasures)
    with espace.rooms(settings) as found:
        count = sum(1 for _ in found.erasure.again(told, found.actor("operator")))
    print(f"{count} of {len(told)} erasures done again")
