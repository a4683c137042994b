"""The servers that the pages share, each made once a process of tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fhirserver.cli.demo import bundle
from tests.imaging.serving import running as pacs
from tests.serving import serve

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.serving import Served


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """An empty server: each page makes what it speaks of, and finds it by what no other page has."""
    with pacs() as server:
        line = ("--workers", "1", "--profiles", "core")
        environ = {"FHIRSERVER_DICOMWEB_URL": server.url}
        with serve(tmp_path_factory.mktemp("pages") / "data", *line, environ=environ) as found:
            yield found


@pytest.fixture(scope="session")
def family(running: Served) -> None:
    """The demo family, on the server that was empty."""
    assert running.call("POST", "", running.token("--operator"), bundle()).status == 200


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The server that a reader starts, with the demo family; what a page changes, it puts back."""
    with serve(tmp_path_factory.mktemp("demo") / "data", "--demo") as found:
        yield found
