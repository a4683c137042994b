"""A served server with the people that the suites need, once for all tests here."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, NamedTuple

import pytest

from fhirserver import jsontext
from tests.serving import COMMAND, Served, serve

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Prepared(NamedTuple):
    """The server, the file of roles, and what stands in it."""

    server: Served
    file: Path
    tokens: dict[str, str]
    variables: dict[str, str]


@pytest.fixture(scope="package")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prepared]:
    place = tmp_path_factory.mktemp("conformance")
    with serve(place / "data") as server:
        made = place / "roles.json"
        line = [COMMAND, "conformance", "prepare", "--base", server.base, "--data", str(server.folder)]
        subprocess.run([*line, "--output", str(made)], check=True, capture_output=True)
        told = jsontext.parse_object(made.read_bytes())
        yield Prepared(server, made, told["tokens"], told["variables"])
