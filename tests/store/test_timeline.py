"""Histories are walked in windows of time that together are the span, whatever is known of it beforehand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import example, given
from hypothesis import strategies as st

from fhirserver.store.timeline import FIRST, Span, windows

NOW = datetime(2026, 6, 1, tzinfo=UTC)
moments = st.datetimes(datetime(2000, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - made aware


@given(st.none() | moments, st.none() | moments, st.lists(moments, max_size=20))
@example(None, None, [NOW, NOW])
@example(NOW, NOW - FIRST, [])
def test_windows_follow_one_another_and_leave_nothing_out(
    since: datetime | None, end: datetime | None, landmarks: list[datetime]
) -> None:
    span = Span(since=since, end=end)
    found = list(windows(span, NOW, landmarks))
    assert found[0].end == end
    assert found[-1].since == since
    for newer, older in pairwise(found):
        assert newer.since == older.end
        assert newer.end is None or newer.since is None or newer.since < newer.end
    assert len(found) < 20 * (len(landmarks) + 1)


def test_a_window_does_not_reach_beyond_a_landmark_into_what_is_dense() -> None:
    landmark = NOW - timedelta(days=300)
    (reached,) = (each for each in windows(Span(), NOW, [landmark]) if each.since == landmark - FIRST)
    assert reached.end is None or reached.end > landmark
    assert all(each.since != landmark for each in windows(Span(), NOW, [landmark]))
