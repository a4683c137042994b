"""`fhirserver settings`: all settings, their values and their meaning."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fhirserver import settings as settings_
from fhirserver.cli import Problem

if TYPE_CHECKING:
    import argparse


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", metavar="FILE.toml", help="read settings from this file")


def run(options: argparse.Namespace) -> int:
    try:
        settings = settings_.load(options.config)
    except settings_.SettingsError as error:
        raise Problem(str(error)) from None
    for variable, value, meaning in settings_.listing(settings):
        print(f"{variable}={value}\n    {meaning}")
    return 0
