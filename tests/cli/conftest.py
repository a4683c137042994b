from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.serving import serve

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.serving import Served


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A running server that commands speak to, of one worker."""
    with serve(tmp_path_factory.mktemp("cli") / "data", "--profiles", "core", "--workers", "1") as running:
        yield running
