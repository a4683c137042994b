"""`fhirserver audit verify`: tells whether a trace was changed or removed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fhirserver import settings as settings_
from fhirserver.cli import Problem

if TYPE_CHECKING:
    import argparse


def arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    verify = actions.add_parser("verify", help="check every chain of traces", allow_abbrev=False)
    verify.add_argument("--mongo", metavar="URI", help="the database; default: FHIRSERVER_MONGO")
    verify.add_argument(
        "--data",
        "--embedded",
        dest="embedded",
        metavar="DIR",
        help="folder of an embedded database whose server is stopped",
    )


def run(options: argparse.Namespace) -> int:
    from fhirserver.access import Access
    from fhirserver.audit import verify
    from fhirserver.cli.opening import opened

    try:
        settings = settings_.load(mongo=options.mongo, embedded=options.embedded)
        with opened(settings) as store:
            faults = list(verify(store.traces(Access.system("audit verify"))))
    except settings_.SettingsError as error:
        raise Problem(str(error)) from None
    for fault in faults:
        print(f"chain {fault.chain}, record {fault.n}: {fault.text}")
    print(f"{len(faults)} faults" if faults else "the chains of traces are whole")
    return 1 if faults else 0
