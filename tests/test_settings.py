from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from fhirserver import settings
from fhirserver.clock import ClockError, parse_clock
from fhirserver.serving.supervisor import _refuse_occupied, base_of, placed
from fhirserver.settings import Settings, SettingsError

if TYPE_CHECKING:
    from pathlib import Path


def test_the_environment_stands_over_the_file_and_options_over_both(tmp_path: Path) -> None:
    file = tmp_path / "server.toml"
    file.write_text('port = 1\nworkers = 1\nprofiles = "core"\n')
    loaded = settings.load(file, {"FHIRSERVER_PORT": "2", "FHIRSERVER_WORKERS": "2"}, port=3, host=None)
    assert (loaded.port, loaded.workers, loaded.profiles, loaded.host) == (3, 2, "core", "127.0.0.1")


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("FHIRSERVER_PORT", "eighty"),
        ("FHIRSERVER_PORT", "-1"),
        ("FHIRSERVER_PROFILES", "german"),
        ("FHIRSERVER_TIMEZONE", "Mars/Olympus"),
        ("FHIRSERVER_CLOCK", "tomorrow"),
        ("FHIRSERVER_REFERENTIAL_INTEGRITY", "maybe"),
        ("FHIRSERVER_TRACE_DAYS", "90"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(variable: str, value: str) -> None:
    with pytest.raises(SettingsError, match=variable.removeprefix("FHIRSERVER_").lower()):
        settings.load(environ={variable: value})


@pytest.mark.parametrize("text", ["prot = 1\n", "port = [\n"])
def test_a_file_with_an_unknown_setting_or_no_toml_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "server.toml"
    file.write_text(text)
    with pytest.raises(SettingsError):
        settings.load(file, {})


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"absent\.toml"):
        settings.load(tmp_path / "absent.toml", {})


def test_a_test_clock_is_refused_in_production() -> None:
    with pytest.raises(SettingsError, match="production"):
        settings.load(environ={"FHIRSERVER_CLOCK": "+P1D", "FHIRSERVER_ENVIRONMENT": "production"})


def test_every_setting_is_listed_with_a_meaning_and_without_a_password() -> None:
    loaded = settings.load(environ={"FHIRSERVER_MONGO": "mongodb://user:s3cr3t@host/"})
    lines = list(settings.listing(loaded))
    assert all(meaning for _, _, meaning in lines)
    assert "FHIRSERVER_TIMEZONE" in {variable for variable, _, _ in lines}
    assert "s3cr3t" not in str(lines)


def test_a_worker_reads_the_same_settings_from_its_environment() -> None:
    loaded = settings.load(environ={}, port=9, referential_integrity=True, clock="-PT2H")
    assert settings.load(environ=settings.environment(loaded)) == loaded


def test_a_clock_stands_still_at_an_instant() -> None:
    clock = parse_clock("2026-01-31T12:00:00+01:00")
    assert clock() == clock() == datetime(2026, 1, 31, 11, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "shift"),
    [("+P3D", timedelta(days=3)), ("-PT1H30M", timedelta(minutes=-90)), ("+P1DT5S", timedelta(days=1, seconds=5))],
)
def test_a_clock_is_shifted(text: str, shift: timedelta) -> None:
    clock, before = parse_clock(text), datetime.now(UTC)
    assert before + shift <= clock() <= datetime.now(UTC) + shift


@pytest.mark.parametrize("text", ["2026-01-31T12:00:00", "+P", "P3D", "+P3X", "2026-13-01T00:00:00Z"])
def test_a_clock_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(ClockError):
        parse_clock(text)


def test_a_port_that_is_left_open_is_a_free_one() -> None:
    settings = Settings(port=0)
    found = placed(settings)
    assert found == replace(settings, port=found.port)
    _refuse_occupied(found.host, found.port)
    assert base_of(found) == f"http://127.0.0.1:{found.port}/fhir"
    assert placed(found) is found
