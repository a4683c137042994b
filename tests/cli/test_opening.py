"""Which database a command is about."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from pymongo import MongoClient

from fhirserver.access import Access
from fhirserver.cli import Problem
from fhirserver.cli.opening import database_arguments, named, opened
from fhirserver.spec import Definitions
from fhirserver.store import Store
from tests.database import database_name as database_name
from tests.database import embedded_uri as embedded_uri
from tests.records import consent, patient

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


def test_policies_that_a_command_rebuilds_read_labels_as_the_server_does(
    embedded_uri: str, database_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    access = Access.system("test", datetime(2026, 1, 1, tzinfo=UTC))
    label = [{"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "R"}]
    with MongoClient[dict[str, Any]](embedded_uri) as client:
        policies = client[database_name]["policy"]
        server = Store(embedded_uri, database_name, definitions=Definitions.core(), plain_labels=True)
        server.transact(access, lambda tx: tx.create(patient(), "p"))
        server.transact(access, lambda tx: tx.create(consent("p", "permit", securityLabel=label), "c"))
        server.close()
        monkeypatch.setenv("FHIRSERVER_DATABASE", database_name)
        found = []
        for reading in ("tags", "ladder"):
            monkeypatch.setenv("FHIRSERVER_CONSENT_LABELS", reading)
            before = policies.find_one({"_id": "p"})
            with opened(_settings("--mongo", embedded_uri)) as store:
                store.transact(access, lambda tx: tx.rebuild(["p"]))
            found.append(policies.find_one({"_id": "p"}) == before)
        assert found == [True, False]
