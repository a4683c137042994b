"""`fhirserver migrate`: brings what older versions stored to this version's format, while the server works on."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from fhirserver.cli import Problem
from fhirserver.cli.opening import database_arguments, named, opened, trace_of

if TYPE_CHECKING:
    import argparse


def arguments(parser: argparse.ArgumentParser) -> None:
    database_arguments(parser)


def run(options: argparse.Namespace) -> int:
    from tqdm import tqdm

    from fhirserver.access import Access
    from fhirserver.errors import Unavailable
    from fhirserver.store import StoreError
    from fhirserver.store.envelope import FORMAT

    settings = named(options)
    try:
        with opened(settings) as store, tqdm(unit="document", file=sys.stderr, disable=None) as bar:
            store.trace(trace_of("migrate", settings))
            for looked_at in store.migrate(Access.system("migration")):
                bar.update(looked_at)
    except (StoreError, Unavailable) as error:
        raise Problem(str(error)) from None
    print(f"everything is of format {FORMAT}")
    return 0
