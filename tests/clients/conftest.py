from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.serving import serve

if TYPE_CHECKING:
    from collections.abc import Iterator


class Connection(NamedTuple):
    """What a client is given: the FHIR base and an operator's token."""

    base: str
    token: str


@pytest.fixture(scope="package")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    with serve(tmp_path_factory.mktemp("clients") / "data", "--workers", "1", "--profiles", "core") as running:
        yield Connection(running.base, running.token("--operator"))
