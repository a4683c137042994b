from __future__ import annotations

import gc
import os
import shutil
import sys
import tempfile
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, settings

from tests import corpus
from tests.browser import chromium

if TYPE_CHECKING:
    import pytest
    from _pytest.terminal import TerminalReporter

_absent: dict[tuple[str, str], int] = {}
_metrics = tempfile.mkdtemp(prefix="fhirserver-test-metrics-")
os.environ["PROMETHEUS_MULTIPROC_DIR"] = _metrics  # read when prometheus_client is imported
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # without it each served process would compile 600 modules anew
sys.dont_write_bytecode = False


def _program(name: str) -> str | None:
    """Where it is; Chromium has several names and places."""
    return chromium.executable() if name == "chromium" else shutil.which(name)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="also run the long campaigns")


def pytest_configure(config: pytest.Config) -> None:
    """Hypothesis draws the same examples on every run, however slow the machine is; with `--long`, new ones."""
    known = not config.getoption("--long")
    slow = (HealthCheck.too_slow,)
    settings.register_profile("here", deadline=None, derandomize=known, suppress_health_check=slow)
    settings.load_profile("here")


def pytest_unconfigure() -> None:
    shutil.rmtree(_metrics, ignore_errors=True)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests whose corpus or program is not here, and long campaigns unless asked for, are deselected."""
    kept: list[pytest.Item] = []
    left: list[pytest.Item] = []
    for item in items:
        missing = [
            (kind, name)
            for kind, present in (("corpus", corpus.present), ("program", _program))
            for mark in item.iter_markers(kind)
            for name in mark.args
            if not present(name)
        ]
        for each in missing:
            _absent[each] = _absent.get(each, 0) + 1
        wanted = not missing and (config.getoption("--long") or item.get_closest_marker("long") is None)
        (kept if wanted else left).append(item)
    if left:
        config.hook.pytest_deselected(items=left)
        items[:] = kept


def pytest_collection_finish() -> None:
    """What is imported and collected stays, and is not walked over for garbage again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    for (kind, name), count in sorted(_absent.items()):
        what = "did not run" if kind == "corpus" else "were left out"
        terminalreporter.write_line(f"{kind} {name!r} is not here: {count} tests {what}")
