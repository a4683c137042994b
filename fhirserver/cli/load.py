"""`fhirserver load`: sends files to a server; run again, it goes on where it stopped."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from fhirserver.cli import Problem

if TYPE_CHECKING:
    import argparse

JOURNAL: Final = "fhirserver-load.journal"
REJECTED: Final = "fhirserver-load.rejected.ndjson"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "paths", nargs="+", metavar="PATH", type=Path, help=".json, .ndjson, .xml, also .gz or .xz; folders"
    )
    parser.add_argument("--base", required=True, metavar="URL", help="FHIR base, such as http://127.0.0.1:8080/fhir")
    parser.add_argument("--token", required=True, metavar="T", help="bearer token")
    parser.add_argument("--connections", type=int, default=4, help="parallel connections (default 4)")
    parser.add_argument("--journal", type=Path, default=Path(JOURNAL), help=f"what is done already (default {JOURNAL})")
    parser.add_argument("--rejected", type=Path, default=Path(REJECTED), help=f"what was refused (default {REJECTED})")


def run(options: argparse.Namespace) -> int:
    from tqdm import tqdm

    from fhirserver.loading.journal import Journal
    from fhirserver.loading.load import Loader
    from fhirserver.loading.sender import Sender
    from fhirserver.loading.sources import files

    try:
        listed = list(files(options.paths))
        Sender(options.base, options.token).close()
    except (FileNotFoundError, ValueError) as error:
        raise Problem(str(error)) from None
    with (
        Journal(options.journal) as journal,
        options.rejected.open("w", encoding="utf-8") as rejected,
        tqdm(total=len(listed), unit="file", file=sys.stderr, disable=None) as bar,
    ):
        loader = Loader(
            options.base,
            options.token,
            journal,
            rejected,
            connections=max(1, options.connections),
            progress=bar.update,
        )
        tally = loader.run(listed)
    print(
        f"{tally.stored} resources stored, {tally.rejected} rejected, {tally.skipped} done before; {tally.rate:.0f}/s"
    )
    for reason, count in tally.refused.most_common(10):
        print(f"  {count} x {reason}")
    if tally.rejected:
        print(f"each rejected one with its reason: {options.rejected}")
    if tally.away:
        raise Problem(tally.away)
    return 1 if tally.rejected else 0
