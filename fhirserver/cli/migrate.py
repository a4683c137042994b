"""`fhirserver migrate`: brings what older versions stored to this version's format, while the server works on."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from fhirserver.cli import Problem
from fhirserver.cli.opening import database_arguments, located

if TYPE_CHECKING:
    import argparse


def arguments(parser: argparse.ArgumentParser) -> None:
    database_arguments(parser)


def run(options: argparse.Namespace) -> int:
    from tqdm import tqdm

    from fhirserver.spec import Definitions
    from fhirserver.store import StoreError
    from fhirserver.store.envelope import FORMAT
    from fhirserver.store.schema import brought_up

    try:
        with (
            located(options) as (uri, database),
            tqdm(unit="document", file=sys.stderr, disable=None) as bar,
        ):
            for looked_at in brought_up(uri, database, Definitions.core().resource_types):
                bar.update(looked_at)
    except StoreError as error:
        raise Problem(str(error)) from None
    print(f"everything is of format {FORMAT}")
    return 0
