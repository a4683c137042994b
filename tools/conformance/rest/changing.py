"""Patches and deletes."""

from __future__ import annotations

from typing import Final

from tools.conformance.building import ask, case, refused, says, script, status, variable
from tools.conformance.rest.common import WHOLE, WHOLE_BACK, fhirpath_patch, found, json_patch, observation

_PATCHING: Final = script(
    "rest-patch",
    "Patching a resource",
    case(
        "JSON Patch: replace",
        "R4-patch",
        json_patch("replace"),
        status(200),
        says("Observation.status", "amended"),
        says("Observation.value.value", "13.5", "the rest stays"),
    ),
    case(
        "JSON Patch: add and remove",
        "R4-patch",
        json_patch("add"),
        status(200),
        says("Observation.note.count()", "2"),
        json_patch("remove"),
        status(200),
        says("Observation.note.count()", "1"),
    ),
    case(
        "JSON Patch: a test that fails changes nothing",
        "R4-patch-refused R4-outcome",
        json_patch("test"),
        *refused(400, 409, 412, 422),
        ask("", url="Observation/${id}"),
        says("Observation.status != 'cancelled'"),
    ),
    case(
        "JSON Patch: what is invalid afterwards is refused",
        "R4-patch-refused R4-outcome",
        json_patch("invalid"),
        *refused(400, 422),
        ask("", url="Observation/${id}"),
        says("Observation.status != 'nonsense'"),
    ),
    case("JSON Patch: no patch", "R4-patch-refused R4-outcome", json_patch("nonsense"), *refused(400, 422)),
    case(
        "FHIRPath Patch: replace",
        "R4-patch",
        ask("", url="Observation/${id}", method="patch", source="fhirpath", headers=WHOLE_BACK),
        status(200),
        says("Observation.status", "corrected"),
    ),
    case(
        "FHIRPath Patch: a path that is not there",
        "R4-patch-refused R4-outcome",
        ask("", url="Observation/${id}", method="patch", source="nowhere"),
        *refused(400, 409, 422),
    ),
    case(
        "If-Match of another version",
        "R4-if-match",
        ask(
            "",
            url="Observation/${id}",
            method="patch",
            source="replace",
            content="application/json-patch+json",
            headers={"If-Match": 'W/"99999"'},
        ),
        status(412, 409),
    ),
    case(
        "what is not there",
        "R4-patch-refused",
        ask(
            "", url="Observation/${run}-nobody", method="patch", source="replace", content="application/json-patch+json"
        ),
        status(404),
    ),
    fixtures={
        "whole": WHOLE,
        "-replace": [{"op": "replace", "path": "/status", "value": "amended"}],
        "-add": [{"op": "add", "path": "/note/-", "value": {"text": "added"}}],
        "-remove": [{"op": "remove", "path": "/note/1"}],
        "-test": [
            {"op": "test", "path": "/status", "value": "unknown"},
            {"op": "replace", "path": "/status", "value": "cancelled"},
        ],
        "-invalid": [{"op": "replace", "path": "/status", "value": "nonsense"}],
        "-nonsense": [{"op": "juggle", "path": "/status"}],
        "-fhirpath": fhirpath_patch("replace", "Observation.status", {"name": "value", "valueCode": "corrected"}),
        "-nowhere": fhirpath_patch(
            "replace", "Observation.method", {"name": "value", "valueCodeableConcept": {"text": "x"}}
        ),
    },
    variables=(variable("id", "whole", "Observation.id"),),
)

_DELETING: Final = script(
    "rest-delete",
    "Deleting a resource",
    case(
        "it is read no more",
        "R4-delete R4-read-deleted",
        ask("", url="Observation/${id}", method="delete"),
        status(200, 202, 204),
        ask("", url="Observation/${id}"),
        status(410, 404),
    ),
    case("it is found no more", "R4-delete", *found("whole", 0)),
    case("again", "R4-delete-again", ask("", url="Observation/${id}", method="delete"), status(200, 204)),
    case(
        "what never was",
        "R4-delete-again",
        ask("", url="Observation/${run}-nobody", method="delete"),
        status(200, 204, 404),
    ),
    case(
        "it stands in the history",
        "R4-history-deleted",
        ask("", url="Observation/${id}/_history"),
        status(200),
        says("Bundle.entry[0].request.method", "DELETE"),
        says("Bundle.entry[0].resource.empty()"),
    ),
    case(
        "its version before is still there", "R4-vread", ask("", url="Observation/${id}/_history/${first}"), status(200)
    ),
    case(
        "the version of the deletion is none",
        "R4-read-deleted",
        ask("", url="Observation/${id}/_history/2"),
        status(410, 404),
    ),
    case(
        "an update brings it back",
        "R4-update",
        ask("", url="Observation/${id}", method="put", source="back"),
        status(200, 201),
        ask("", url="Observation/${id}"),
        status(200),
    ),
    fixtures={"whole": WHOLE, "-back": {**observation("whole"), "id": "${id}"}},
    variables=(variable("id", "whole", "Observation.id"), variable("first", "made", "Observation.meta.versionId")),
    setup=(ask("", url="Observation/${id}", response="made"), status(200)),
)
SCRIPTS: Final = (_PATCHING, _DELETING)
