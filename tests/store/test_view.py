from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from fhirserver.errors import NotFound
from fhirserver.search.query import Query
from fhirserver.store import store as store_module
from tests.store.listening import listening
from tests.store.standin import Rules, access, open_store

if TYPE_CHECKING:
    from fhirserver.access import Access
    from fhirserver.store import Store

SYSTEM = access()
BLIND = access("doctor", blind="secret")


def observation(id_: str, patient: str = "p1", **members: Any) -> dict[str, Any]:
    return {"resourceType": "Observation", "id": id_, "subject": {"reference": f"Patient/{patient}"}, **members}


def put(store: Store, resource: dict[str, Any]) -> None:
    if store.view(SYSTEM).read(resource["resourceType"], resource["id"]) is None:
        store.transact(SYSTEM, lambda tx: tx.create(resource, resource["id"]))
    else:
        store.transact(SYSTEM, lambda tx: tx.update(resource))


def delete(store: Store, id_: str) -> None:
    store.transact(SYSTEM, lambda tx: tx.delete("Observation", id_))


def test_a_hidden_resource_answers_like_one_that_never_was(store: Store) -> None:
    put(store, observation("o1", labels=["secret"]))
    put(store, observation("o1", labels=["secret"]))
    put(store, observation("o2", labels=["secret"]))
    delete(store, "o2")
    view = store.view(BLIND)
    for id_ in ("o1", "o2"):
        assert view.read("Observation", id_) is view.read("Observation", "never") is None
        assert view.vread("Observation", id_, 1) is view.vread("Observation", "never", 1) is None
        assert view.history("Observation", id_, 10) == view.history("Observation", "never", 10)
        with pytest.raises(NotFound, match=r"Observation/o\d is not known"):
            store.transact(BLIND, lambda tx, id_=id_: tx.update(observation(id_)))  # type: ignore[misc]
        with pytest.raises(NotFound):
            store.transact(BLIND, lambda tx, id_=id_: tx.delete("Observation", id_))  # type: ignore[misc]


def test_a_hidden_resource_that_was_deleted_before_does_not_answer_with_its_old_tombstone(store: Store) -> None:
    put(store, observation("o1"))
    delete(store, "o1")
    store.transact(SYSTEM, lambda tx: tx.create(observation("o1", labels=["secret"]), "o1"))
    assert store.view(BLIND).read("Observation", "o1") is None


def test_each_version_is_judged_by_its_own_access_data(store: Store) -> None:
    put(store, observation("o1"))
    put(store, observation("o1", labels=["secret"]))
    put(store, observation("o1"))
    view = store.view(BLIND)
    page = view.history("Observation", "o1", 10)
    assert ([version.version for version in page.matches], page.total) == ([3, 1], 2)
    assert view.vread("Observation", "o1", 2) is None
    assert view.vread("Observation", "o1", 1) is not None


def test_history_goes_page_by_page_with_one_total(store: Store) -> None:
    for number in range(5):
        put(store, observation("o1", labels=["secret"] if number == 3 else []))
    for requester, versions in ((SYSTEM, [5, 4, 3, 2, 1]), (BLIND, [5, 3, 2, 1])):
        view = store.view(requester)
        found: list[int] = []
        before: int | None = None
        while True:
            page = view.history("Observation", "o1", 2, before)
            assert page.total == len(versions)
            found += [version.version for version in page.matches]
            if page.after is None:
                break
            (before,) = page.after
        assert found == versions


def test_a_tombstone_is_judged_by_the_access_data_of_the_last_version(store: Store) -> None:
    put(store, observation("o1"))
    put(store, observation("o1", labels=["secret"]))
    delete(store, "o1")
    assert store.view(BLIND).read("Observation", "o1") is None
    seen = store.view(SYSTEM).read("Observation", "o1")
    assert seen is not None
    assert seen.deleted
    assert store.view(BLIND).history("Observation", "o1", 5) == store.view(BLIND).history("Observation", "never", 5)


def test_the_policy_asked_for_is_that_of_the_patients_of_the_resource(store: Store, rules: Rules) -> None:
    put(store, observation("o1", others=["p2"]))
    put(store, {"resourceType": "Patient", "id": "p1"})
    view = store.view(access("doctor", barred="p1"))
    rules.asked.clear()
    assert view.read("Observation", "o1") is None
    assert rules.asked[0] == ("Observation", frozenset({"p1", "p2"}))
    rules.asked.clear()
    assert view.read("Patient", "p1") is None
    assert rules.asked[0] == ("Patient", frozenset({"p1"}))
    rules.asked.clear()
    view.history("Observation", "o1", 5)
    assert ("Observation", frozenset({"p1", "p2"})) in rules.asked


def test_what_is_hidden_today_is_hidden_in_its_older_versions(store: Store) -> None:
    put(store, observation("o1"))
    put(store, observation("o1", labels=["secret"]))
    view = store.view(BLIND)
    assert view.vread("Observation", "o1", 1) is None
    assert view.history("Observation", "o1", 5) == view.history("Observation", "never", 5)


@pytest.mark.parametrize("interaction", ["read", "vread", "history"])
def test_absent_and_hidden_cost_the_database_the_same_commands(
    embedded_uri: str, database_name: str, store: Store, interaction: str
) -> None:
    put(store, observation("o1", labels=["secret"]))
    put(store, observation("o2", labels=["secret"]))
    delete(store, "o2")
    with listening() as listener:
        watched = open_store(embedded_uri, database_name)
    asked = {}
    for id_ in ("o1", "o2", "never"):
        listener.seen.clear()
        look(watched, BLIND, interaction, id_)
        asked[id_] = [(name, [next(iter(stage)) for stage in stages]) for name, stages in listener.seen]
    watched.close()
    assert asked["never"] == asked["o1"] == asked["o2"]
    assert asked["never"]


def look(store: Store, who: Access, interaction: str, id_: str) -> object:
    view = store.view(who)
    if interaction == "history":
        return view.history("Observation", id_, 5)
    return view.read("Observation", id_) if interaction == "read" else view.vread("Observation", id_, 1)


def test_every_way_to_content_goes_through_a_view() -> None:
    public = {name for name in vars(store_module.Store) if not name.startswith("_")}
    guarded = {"view", "transact"}
    told_by_what_was_seen = {"files", "jobs"}
    without_content = {"trace", "ping", "close", "registry", "about", "claimed", "register", "outbox"}
    in_no_record_yet = {"quarantine"}
    of_traces = {"traces", "landmarks", "heads", "old_traces", "forget_traces", "new_traces"}
    of_whole_records = {"spaces", "erasing", "family", "knows", "everybody", "absorbed", "merged_since", "merged_into"}
    of_who_is_told = {"changes", "subscribers"}
    of_formats = {"migrate"}
    the_servers_own = (
        of_traces | of_whole_records | of_who_is_told | of_formats | {"reindex", "ids", "insight", "forget", "large"}
    )
    assert public == guarded | told_by_what_was_seen | without_content | in_no_record_yet | the_servers_own


def test_searches_that_are_answered_together_see_what_any_search_sees(store: Store) -> None:
    put(store, observation("o1"))
    put(store, observation("o2", labels=["secret"]))
    for who in (SYSTEM, BLIND):
        steady, plain = store.view(who, steady=True), store.view(who)
        for query in (Query("Observation"), Query("Observation", total="accurate"), Query("Patient")):
            assert [each.id for each in steady.search(query).matches] == [
                each.id for each in plain.search(query).matches
            ]
            assert steady.search(query) == plain.search(query)
        for id_ in ("o1", "o2", "never"):
            assert steady.read("Observation", id_) == plain.read("Observation", id_)
