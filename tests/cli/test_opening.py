"""Which database a command is about."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import pytest

from fhirserver.cli import Problem
from fhirserver.cli.opening import database_arguments, named

if TYPE_CHECKING:
    from fhirserver.settings import Settings

URI = "mongodb://elsewhere.example/"


def _settings(*words: str) -> Settings:
    parser = argparse.ArgumentParser()
    database_arguments(parser, key=True)
    return named(parser.parse_args(words))


def test_a_folder_outweighs_a_uri_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FHIRSERVER_MONGO", URI)
    settings = _settings("--data", "here")
    assert (settings.mongo, settings.embedded) == ("", "here")


def test_without_arguments_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FHIRSERVER_MONGO", URI)
    assert _settings().mongo == URI


def test_the_key_file_is_the_one_named() -> None:
    assert _settings("--mongo", URI, "--key-file", "key.pem").key_file == "key.pem"


def test_settings_that_are_wrong_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FHIRSERVER_PORT", "none")
    with pytest.raises(Problem, match=r"(?i)port"):
        _settings()
