"""Conditional read (https://hl7.org/fhir/R4/http.html#cread)."""

from __future__ import annotations

from datetime import timedelta
from email.utils import format_datetime, parsedate_to_datetime
from typing import TYPE_CHECKING

import pytest

from tests.records import patient

if TYPE_CHECKING:
    from tests.application import Answer, Application, Caller


@pytest.fixture(scope="module")
def operator(application: Application) -> Caller:
    return application.operator()


@pytest.fixture(scope="module")
def stored(operator: Caller) -> Answer:
    """The first answer to a patient's second version."""
    id = operator.create(patient())
    return operator.put(f"Patient/{id}", patient(id=id, gender="other"))


@pytest.mark.parametrize("tags", ['W/"2"', '"2"', 'W/"1", W/"2"', "*", ' W/"2" '])
def test_who_has_the_version_gets_no_body(operator: Caller, stored: Answer, tags: str) -> None:
    answer = operator.get(f"Patient/{stored.id}", If_None_Match=tags)
    assert (answer.status, answer.content) == (304, b"")
    assert answer.headers["etag"] == 'W/"2"'
    assert "content-type" not in answer.headers


@pytest.mark.parametrize("tags", ['W/"1"', '"22"', "2", "", "W/2", 'w/"2"', '"2', '"\'"'])
def test_who_has_another_version_gets_the_current_one(operator: Caller, stored: Answer, tags: str) -> None:
    assert operator.get(f"Patient/{stored.id}", If_None_Match=tags).status == 200


def test_what_changed_since_is_answered(operator: Caller, stored: Answer) -> None:
    at = parsedate_to_datetime(stored.headers["last-modified"])

    def since(seconds: int) -> int:
        date = format_datetime(at + timedelta(seconds=seconds), usegmt=True)
        return operator.get(f"Patient/{stored.id}", If_Modified_Since=date).status

    assert [since(-1), since(0), since(1)] == [200, 304, 304]


def test_a_tag_outweighs_a_date(operator: Caller, stored: Answer) -> None:
    date = stored.headers["last-modified"]
    answer = operator.get(f"Patient/{stored.id}", If_None_Match='W/"1"', If_Modified_Since=date)
    assert answer.status == 200


@pytest.mark.parametrize(
    "date",
    ["yesterday", "2026-01-01", "Sun, 99 Nov 2026 99:99:99 GMT", "Sun, 22 Nov 2099 00:00:00 -0000", "0", "\u00e9"],
)
def test_a_date_that_cannot_be_read_is_no_condition(operator: Caller, stored: Answer, date: str) -> None:
    assert operator.get(f"Patient/{stored.id}", If_Modified_Since=date).status == 200


def test_a_version_is_read_conditionally_too(operator: Caller, stored: Answer) -> None:
    assert operator.get(f"Patient/{stored.id}/_history/1", If_None_Match='W/"1"').status == 304
    assert operator.get(f"Patient/{stored.id}/_history/1", If_None_Match='W/"2"').status == 200


def test_nothing_is_not_modified_where_nothing_is(operator: Caller) -> None:
    answer = operator.get("Patient/never-was", If_None_Match="*", If_Modified_Since="Sun, 22 Nov 2099 00:00:00 GMT")
    assert answer.status == 404
