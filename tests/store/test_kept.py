"""What a process keeps at hand is bounded."""

from __future__ import annotations

from fhirserver.store.kept import Kept


def test_what_was_not_used_for_longest_goes_first() -> None:
    kept: Kept[str, int] = Kept(3)
    for number, name in enumerate("abc"):
        kept.put(name, number)
    assert kept.get("a") == 0
    kept.put("d", 3)
    assert kept.get("b") is None
    assert [kept.get(name) for name in "acd"] == [0, 2, 3]


def test_entries_count_by_their_weight() -> None:
    kept: Kept[str, int] = Kept(10)
    kept.put("a", 1, 6)
    kept.put("b", 2, 5)
    assert kept.get("a") is None
    kept.put("b", 3, 4)
    kept.put("c", 4, 6)
    assert (kept.get("b"), kept.get("c")) == (3, 4)


def test_what_is_too_heavy_is_not_kept_and_drives_nothing_out() -> None:
    kept: Kept[str, int] = Kept(10)
    kept.put("a", 1, 6)
    kept.put("b", 2, 11)
    assert kept.get("a") == 1
    assert kept.get("b") is None
    kept.put("a", 3, 11)
    assert kept.get("a") is None
    assert len(kept) == 0
