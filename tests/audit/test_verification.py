"""$audit-verify: the chains of traces are verified in the background, and operators are told what was found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pymongo import MongoClient

from tests.application import applications, embedded_uri
from tests.records import patient

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.application import Application

__all__ = ["applications", "embedded_uri"]


def told(application: Application) -> dict[str, Any]:
    """What the last verification found; `fault`: how many are told."""
    answer = application.operator().get("$audit-verify")
    assert answer.status == 200
    found: dict[str, Any] = {"fault": 0}
    for each in answer.json["parameter"]:
        if each["name"] == "fault":
            found["fault"] += 1
            found["text"] = each["part"][2]["valueString"]
        else:
            found[each["name"]] = next((value for name, value in each.items() if name.startswith("value")), None)
    return found


def test_a_verification_counts_what_is_whole_and_names_what_is_not(
    applications: Callable[..., Any], tmp_path: Path
) -> None:
    with applications(anchor_file=str(tmp_path / "anchors")) as application:
        operator = application.operator()
        id_ = operator.create(patient())
        for _ in range(3):
            operator.get(f"Patient/{id_}")
        assert told(application) == {"fault": 0, "running": False}
        accepted = operator.post("$audit-verify", None)
        assert accepted.status == 202
        assert told(application)["running"] is True
        assert operator.post("$audit-verify", None).status == 409
        assert application.work() == 1
        found = told(application)
        assert (found["running"], found["faults"], found["fault"]) == (False, 0, 0)
        assert found["records"] >= 6
        assert found["chains"] >= 1
        assert found["ended"] >= found["began"]
        counts = operator.get(accepted.headers["content-location"].rpartition("/")[2])
        assert {"name": "faults", "valueInteger": 0} in counts.json["parameter"]
        with MongoClient[dict[str, Any]](application.services.settings.mongo) as client:
            traces = client[application.services.settings.database]["trace"]
            first = traces.find_one({"who.kind": "operator"}, sort=[("_id", 1)])
            assert first is not None
            traces.update_one({"_id": first["_id"]}, {"$set": {"status": 418}})
        operator.post("$audit-verify", None)
        application.work()
        found = told(application)
        assert (found["faults"], found["fault"]) == (1, 1)
        assert found["text"] == "the record was changed"


def test_others_than_operators_are_refused(applications: Callable[..., Any]) -> None:
    with applications() as application:
        id_ = application.operator().create(patient())
        for caller in (
            application.patient(id_),
            application.practitioner("10000000018"),
            application.system("750000001"),
        ):
            for answer in (
                caller.get("$audit-verify"),
                caller.post("$audit-verify", None),
                caller.get("$service-overview"),
            ):
                assert answer.status == 403
        counts = application.operator().get("$service-overview").json["parameter"]
        assert {each["name"] for each in counts} >= {"apps-submitted", "spaces-due", "quarantine-held", "jobs-failed"}
        assert all(each["valueInteger"] == 0 for each in counts if not each["name"].startswith("news"))
