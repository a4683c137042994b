"""`fhirserver serve`: runs the server; prints `ready http://host:port/fhir` when it answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fhirserver import settings as settings_
from fhirserver.cli import Problem

if TYPE_CHECKING:
    import argparse


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", metavar="FILE.toml", help="read settings from this file")
    parser.add_argument("--host", help="address to listen on (default 127.0.0.1)")
    parser.add_argument("--port", type=int, help="port to listen on (default 8080; 0: a free one, which `ready` tells)")
    database = parser.add_mutually_exclusive_group()
    database.add_argument("--mongo", metavar="URI", help="connection string of a MongoDB replica set")
    database.add_argument(
        "--embedded", "--data", dest="embedded", metavar="DIR", help="folder of the embedded database (default ./data)"
    )
    parser.add_argument("--workers", type=int, help="worker processes (default 2)")
    parser.add_argument("--profiles", choices=("french", "core"), help="what resources without a profile are held to")
    parser.add_argument("--demo", action="store_true", help="load a demo family into an empty store")


def run(options: argparse.Namespace) -> int:
    from fhirserver.serving.supervisor import ServingError, Supervisor, placed

    try:
        settings = settings_.load(
            options.config,
            host=options.host,
            port=options.port,
            mongo="" if options.embedded else options.mongo,
            embedded=options.embedded,
            workers=options.workers,
            profiles=options.profiles,
        )
        if options.demo and settings.environment == "production":
            raise Problem("demo data are refused in production.")
        settings = placed(settings)
        return Supervisor(settings, announce=lambda base: _announce(settings, base, demo=options.demo)).run()
    except (settings_.SettingsError, ServingError) as error:
        raise Problem(str(error)) from None


def _announce(settings: settings_.Settings, base: str, *, demo: bool) -> None:
    if demo:
        from fhirserver.cli.demo import load_demo

        try:
            load_demo(settings, base)
        except OSError as error:
            raise Problem(f"the demo data could not be loaded: {error}.") from None
    print(f"ready {base}", flush=True)
