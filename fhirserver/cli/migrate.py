"""`fhirserver migrate`: brings what older versions stored to this version's format, while the server works on."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from fhirserver.cli import Problem

if TYPE_CHECKING:
    import argparse


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--mongo", metavar="URI", help="the database; default: FHIRSERVER_MONGO")
    parser.add_argument(
        "--data", "--embedded", dest="embedded", metavar="DIR", help="folder of an embedded database that is stopped"
    )


def run(options: argparse.Namespace) -> int:
    from tqdm import tqdm

    from fhirserver.cli.opening import located
    from fhirserver.spec import Definitions
    from fhirserver.store import StoreError
    from fhirserver.store.envelope import FORMAT
    from fhirserver.store.schema import brought_up

    try:
        with (
            located(mongo=options.mongo, embedded=options.embedded) as (uri, database),
            tqdm(unit="document", file=sys.stderr, disable=None) as bar,
        ):
            for looked_at in brought_up(uri, database, Definitions.core().resource_types):
                bar.update(looked_at)
    except StoreError as error:
        raise Problem(str(error)) from None
    print(f"everything is of format {FORMAT}")
    return 0
