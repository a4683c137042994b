from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from fhirserver.store import Store

NOW = datetime(2026, 3, 1, tzinfo=UTC)
LATER = datetime.now(UTC) + timedelta(days=1)


def test_a_row_is_added_once_found_and_replaced(store: Store) -> None:
    rows = store.register("test", ("owner",))
    assert rows.add("a", {"owner": "x"})
    assert not rows.add("a", {"owner": "y"})
    assert rows.find("a", NOW) == {"_id": "a", "owner": "x"}
    rows.put("a", {"owner": "z"})
    assert rows.find("a", NOW) == {"_id": "a", "owner": "z"}


def test_past_its_time_a_row_is_as_if_it_were_not_there(store: Store) -> None:
    rows = store.register("test")
    rows.put("a", {"until": LATER})
    assert rows.find("a", LATER - timedelta(seconds=1))
    assert rows.find("a", LATER) is None
    assert rows.listed(LATER) == []
    assert rows.take("a", LATER) is None


def test_of_many_who_take_a_row_one_gets_it(store: Store) -> None:
    rows = store.register("test")
    rows.put("code", {"n": 1})
    with ThreadPoolExecutor(8) as pool:
        got = [row for row in pool.map(lambda _: rows.take("code", NOW), range(16)) if row]
    assert len(got) == 1


def test_a_row_is_changed_only_from_what_it_is_expected_to_be(store: Store) -> None:
    rows = store.register("test")
    rows.put("a", {"state": "open"})
    assert rows.change("a", {"state": "used"}, state="open") == {"_id": "a", "state": "used"}
    assert rows.change("a", {"state": "used"}, state="open") is None
    assert rows.change("b", {"state": "used"}) is None


def test_of_many_who_count_each_has_a_number_of_its_own(store: Store) -> None:
    rows = store.register("test")
    rows.count("warm", "n", LATER)
    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(lambda _: rows.count("a", "n", LATER), range(16))) == list(range(1, 17))


def test_rows_are_listed_by_what_they_have_and_removed(store: Store) -> None:
    rows = store.register("test", ("owner",))
    for key, owner in (("a", "x"), ("b", "y"), ("c", "x")):
        rows.put(key, {"owner": owner})
    assert [row["_id"] for row in rows.listed(NOW, owner="x")] == ["a", "c"]
    assert [row["_id"] for row in rows.listed(NOW, after="a", owner="x")] == ["c"]
    assert rows.drop_all(owner="x") == 2
    assert rows.drop("b")
    assert not rows.drop("b")
    with pytest.raises(ValueError, match="nothing is said"):
        rows.drop_all()


def test_rows_whose_moment_has_come_are_found_the_oldest_first(store: Store) -> None:
    rows = store.register("due", ("due",))
    for key, days in (("later", 1), ("now", 0), ("before", -1)):
        rows.put(key, {"due": NOW + timedelta(days=days)})
    rows.put("never", {"other": 1})
    assert [row["_id"] for row in rows.reached("due", NOW)] == ["before", "now"]
    assert [row["_id"] for row in rows.reached("due", NOW, count=1)] == ["before"]
    assert set(rows.several(["later", "never", "absent"])) == {"later", "never"}
