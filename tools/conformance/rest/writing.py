"""Creates and updates, plain and conditional."""

from __future__ import annotations

from typing import Final

from tools.conformance.building import Wrong, ask, case, check, header, refused, says, script, status, variable
from tools.conformance.rest.common import BASIC, SYSTEM, WHOLE, WHOLE_BACK, found, observation

_CREATING: Final = script(
    "rest-create",
    "Creating a resource",
    case(
        "201 with a Location",
        "R4-create",
        ask("create", "Basic", source="basic"),
        status(201),
        header("Location", "/Basic/", "contains"),
    ),
    case(
        "what comes back is what was sent",
        "R4-create",
        ask("create", "Observation", source="whole", response="made", headers=WHOLE_BACK),
        status(201),
        check("all of it", minimumId="whole"),
    ),
    case(
        "decimals keep their digits",
        "R4-decimal",
        ask("create", "Observation", source="exact", response="made", headers=WHOLE_BACK),
        status(201),
        ask("", url="Observation/${made}"),
        check("0.0100 is still 0.0100", path="$.valueQuantity.value", operator="contains", value="0.0100"),
    ),
    case(
        "the client's id is not taken",
        "R4-create-id",
        ask("create", "Basic", source="named", response="other", headers=WHOLE_BACK),
        status(201),
        says("Basic.id != '${run}'"),
    ),
    case(
        "the client's version is not taken",
        "R4-create-id R4-meta",
        ask("create", "Basic", source="versioned", response="other", headers=WHOLE_BACK),
        status(201),
        says("Basic.meta.versionId != '77'"),
    ),
    case(
        "another type than the address says",
        "R4-create-refused R4-outcome",
        ask("create", "Patient", source="basic"),
        *refused(400, 422),
    ),
    case("no JSON", "R4-create-refused R4-outcome", ask("create", "Basic", source="broken"), *refused(400)),
    case("no resource", "R4-create-refused R4-outcome", ask("create", "Basic", source="nothing"), *refused(400, 422)),
    case(
        "a required element is missing",
        "R4-create-refused R4-outcome",
        ask("create", "Observation", source="incomplete"),
        *refused(400, 422),
    ),
    case(
        "an element that there is not",
        "R4-create-refused R4-outcome",
        ask("create", "Basic", source="unknown"),
        *refused(400, 422),
    ),
    case(
        "a code that is none",
        "R4-create-refused R4-outcome",
        ask("create", "Observation", source="miscoded"),
        *refused(400, 422),
    ),
    case(
        "a date that is none",
        "R4-create-refused R4-outcome",
        ask("create", "Basic", source="misdated"),
        *refused(400, 422),
    ),
    fixtures={
        "-basic": BASIC,
        "-whole": WHOLE,
        "-exact": "fixtures/exact.json",
        "-named": {**BASIC, "id": "${run}"},
        "-versioned": Wrong({**BASIC, "meta": {"versionId": "77"}}),
        "-broken": "fixtures/broken.txt",
        "-nothing": [],
        "-incomplete": Wrong({"resourceType": "Observation", "status": "final"}),
        "-unknown": Wrong({**BASIC, "nonsense": True}),
        "-miscoded": Wrong(observation("x", status="nonsense")),
        "-misdated": Wrong({**BASIC, "created": "2026-02-30"}),
    },
    variables=(variable("made", "made", "Observation.id"),),
)

_CONDITIONAL_CREATE: Final = script(
    "rest-conditional-create",
    "Creating unless it is there",
    case(
        "nothing found: created",
        "R4-ccreate",
        ask("create", "Observation", source="fresh", headers={"If-None-Exist": f"identifier={SYSTEM}|${{run}}-fresh"}),
        status(201),
        *found("fresh", 1),
    ),
    case(
        "one found: 200 and nothing new",
        "R4-ccreate",
        ask("create", "Observation", source="once", headers={"If-None-Exist": f"identifier={SYSTEM}|${{run}}-once"}),
        status(200),
        *found("once", 1),
    ),
    case(
        "several found: 412 and nothing new",
        "R4-ccreate R4-outcome",
        ask("create", "Observation", source="twin", headers={"If-None-Exist": f"identifier={SYSTEM}|${{run}}-twin"}),
        *refused(412),
        *found("twin", 2),
    ),
    fixtures={
        "-fresh": observation("fresh"),
        "once": observation("once"),
        "twin": observation("twin"),
        "twin2": observation("twin"),
    },
)

_UPDATING: Final = script(
    "rest-update",
    "Updating a resource",
    case(
        "the content is replaced",
        "R4-update",
        ask("", url="Observation/${id}", method="put", source="changed", headers=WHOLE_BACK),
        status(200),
        says("Observation.status", "amended"),
        says("Observation.value.empty()"),
    ),
    case(
        "a new version",
        "R4-update R4-meta",
        ask("", url="Observation/${id}", response="before"),
        ask("", url="Observation/${id}", method="put", source="again", headers=WHOLE_BACK),
        status(200),
        says("Observation.meta.versionId != '${before}'"),
    ),
    case(
        "no id in the body",
        "R4-update-mismatch R4-outcome",
        ask("", url="Observation/${id}", method="put", source="nameless"),
        *refused(400, 422),
    ),
    case(
        "another id in the body",
        "R4-update-mismatch R4-outcome",
        ask("", url="Observation/${id}", method="put", source="stranger"),
        *refused(400, 422),
    ),
    case(
        "If-Match of the version",
        "R4-if-match",
        ask("", url="Observation/${id}", response="before"),
        ask("", url="Observation/${id}", method="put", source="changed", headers={"If-Match": "${etag}"}),
        status(200),
    ),
    case(
        "If-Match of another version: 412 and nothing changes",
        "R4-if-match R4-outcome",
        ask("", url="Observation/${id}", response="before"),
        ask("", url="Observation/${id}", method="put", source="again", headers={"If-Match": 'W/"99999"'}),
        *refused(412, 409),
        ask("", url="Observation/${id}"),
        says("Observation.meta.versionId", "${before}"),
    ),
    case(
        "invalid content changes nothing",
        "R4-create-refused R4-outcome",
        ask("", url="Observation/${id}", response="before"),
        ask("", url="Observation/${id}", method="put", source="invalid"),
        *refused(400, 422),
        ask("", url="Observation/${id}"),
        says("Observation.meta.versionId", "${before}"),
    ),
    case(
        "by criteria: one match is updated",
        "R4-cupdate",
        ask(
            "",
            url=f"Observation?identifier={SYSTEM}|${{run}}-whole",
            method="put",
            source="matched",
            headers=WHOLE_BACK,
        ),
        status(200),
        says("Observation.id", "${id}"),
        says("Observation.status", "corrected"),
    ),
    case(
        "by criteria: none is created",
        "R4-cupdate",
        ask("", url=f"Observation?identifier={SYSTEM}|${{run}}-upsert", method="put", source="upsert"),
        status(201),
        *found("upsert", 1),
    ),
    case(
        "by criteria: several are refused",
        "R4-cupdate R4-outcome",
        ask("", url=f"Observation?identifier={SYSTEM}|${{run}}-twin", method="put", source="matched"),
        *refused(412),
    ),
    fixtures={
        "whole": WHOLE,
        "twin": observation("twin"),
        "twin2": observation("twin"),
        "-changed": {**observation("whole", status="amended"), "id": "${id}"},
        "-again": {**observation("whole", note=[{"text": "again"}]), "id": "${id}"},
        "-nameless": observation("whole"),
        "-stranger": {**observation("whole"), "id": "${run}-other"},
        "-invalid": {**observation("whole", status="nonsense"), "id": "${id}"},
        "-matched": observation("whole", status="corrected"),
        "-upsert": observation("upsert"),
    },
    variables=(
        variable("id", "whole", "Observation.id"),
        variable("before", "before", "Observation.meta.versionId"),
        variable("etag", "before", header="ETag"),
    ),
)

_PREFERRING: Final = script(
    "rest-prefer",
    "What a write gives back",
    case(
        "return=minimal",
        "R4-prefer",
        ask("create", "Basic", source="basic", headers={"Prefer": "return=minimal"}),
        status(201),
        check("no resource", direction="response", headerField="Location", operator="notEmpty"),
    ),
    case(
        "return=representation",
        "R4-prefer",
        ask("create", "Basic", source="basic", headers=WHOLE_BACK),
        status(201),
        check("the resource", resource="Basic"),
    ),
    case(
        "return=OperationOutcome",
        "R4-prefer",
        ask("create", "Basic", source="basic", headers={"Prefer": "return=OperationOutcome"}),
        status(201),
        check("an OperationOutcome", resource="OperationOutcome"),
    ),
    fixtures={"-basic": BASIC},
)
SCRIPTS: Final = (_CREATING, _CONDITIONAL_CREATE, _UPDATING, _PREFERRING)
