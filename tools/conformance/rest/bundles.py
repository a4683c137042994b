"""Batches, transactions, refusals."""

from __future__ import annotations

from typing import Final

from tools.conformance.building import Wrong, ask, case, refused, says, script, status, variable
from tools.conformance.rest.common import BASIC, SYSTEM, WHOLE, bundle, found, observation

_BATCHING: Final = script(
    "rest-batch",
    "Batches",
    case(
        "each by itself",
        "R4-batch",
        ask("batch", source="mixed"),
        status(200),
        says("Bundle.type", "batch-response"),
        says("Bundle.entry.count()", "3"),
        says("Bundle.entry[0].response.status.startsWith('200')"),
        says("Bundle.entry[1].response.status.startsWith('404')"),
        says("Bundle.entry[2].response.status.startsWith('201')"),
    ),
    case(
        "what failed says why",
        "R4-batch R4-outcome",
        ask("batch", source="mixed"),
        says("Bundle.entry[1].response.outcome.ofType(OperationOutcome).exists()"),
    ),
    case(
        "a search in a batch",
        "R4-batch",
        ask("batch", source="searching"),
        status(200),
        says("Bundle.entry[0].resource.ofType(Bundle).entry.count()", "1"),
    ),
    fixtures={
        "whole": WHOLE,
        "-mixed": bundle(
            "batch", ("GET", "Observation/${id}"), ("GET", "Observation/${run}-nobody"), ("POST", "Basic", BASIC)
        ),
        "-searching": bundle("batch", ("GET", f"Observation?identifier={SYSTEM}|${{run}}-whole")),
    },
    variables=(variable("id", "whole", "Observation.id"),),
)

_TRANSACTING: Final = script(
    "rest-transaction",
    "Transactions",
    case(
        "all of it",
        "R4-transaction R4-transaction-order",
        ask("transaction", source="good"),
        status(200),
        says("Bundle.type", "transaction-response"),
        says("Bundle.entry.response.status.all($this.startsWith('201'))"),
        says("Bundle.entry[0].response.location.contains('Observation/')"),
        says("Bundle.entry[1].response.location.contains('Basic/')"),
        *found("good", 1),
    ),
    case(
        "or nothing",
        "R4-transaction R4-outcome",
        ask("transaction", source="bad"),
        *refused(400, 404, 422),
        *found("bad", 0),
    ),
    case(
        "references among the entries",
        "R4-transaction-references",
        ask("transaction", source="linked", response="linked"),
        status(200),
        ask("", url="${made}"),
        says("Observation.hasMember.reference.startsWith('Observation/')"),
    ),
    case(
        "a conditional reference",
        "R4-transaction-conditional",
        ask("transaction", source="conditional", response="linked"),
        status(200),
        ask("", url="${made}"),
        says("Observation.hasMember.reference.contains('${id}')"),
    ),
    case(
        "a conditional reference to nothing",
        "R4-transaction-conditional R4-outcome",
        ask("transaction", source="dangling"),
        *refused(400, 404, 412, 422),
        *found("dangling", 0),
    ),
    case(
        "the same resource twice",
        "R4-transaction R4-outcome",
        ask("transaction", source="twice"),
        *refused(400, 409, 422),
    ),
    case(
        "create unless it is there",
        "R4-transaction R4-ccreate",
        ask("transaction", source="unless"),
        status(200),
        says("Bundle.entry[0].response.status.startsWith('200')"),
        *found("whole", 1),
    ),
    case(
        "a Bundle that is no transaction",
        "R4-transaction R4-outcome",
        ask("transaction", source="collection"),
        *refused(400, 422),
    ),
    fixtures={
        "whole": WHOLE,
        "-good": bundle("transaction", ("POST", "Observation", observation("good")), ("POST", "Basic", BASIC)),
        "-bad": Wrong(
            bundle(
                "transaction",
                ("POST", "Observation", observation("bad")),
                ("POST", "Observation", {"resourceType": "Observation"}),
            )
        ),
        "-linked": bundle(
            "transaction",
            (
                "POST",
                "Observation",
                observation("linker", hasMember=[{"reference": "urn:uuid:00000000-0000-4000-8000-000000000002"}]),
            ),
            ("POST", "Observation", observation("linked")),
        ),
        "-conditional": bundle(
            "transaction",
            (
                "POST",
                "Observation",
                observation(
                    "conditional", hasMember=[{"reference": f"Observation?identifier={SYSTEM}|${{run}}-whole"}]
                ),
            ),
        ),
        "-dangling": bundle(
            "transaction",
            (
                "POST",
                "Observation",
                observation("dangling", hasMember=[{"reference": f"Observation?identifier={SYSTEM}|${{run}}-nobody"}]),
            ),
        ),
        "-twice": Wrong(
            bundle(
                "transaction", ("PUT", "Observation/${id}", {**WHOLE, "id": "${id}"}), ("DELETE", "Observation/${id}")
            )
        ),
        "-unless": bundle(
            "transaction", ("POST", "Observation", WHOLE, {"ifNoneExist": f"identifier={SYSTEM}|${{run}}-whole"})
        ),
        "-collection": {"resourceType": "Bundle", "type": "collection"},
    },
    variables=(
        variable("id", "whole", "Observation.id"),
        variable("made", "linked", "Bundle.entry[0].response.location.replaceMatches('/_history.*', '')"),
    ),
)

_REFUSING: Final = script(
    "rest-refusals",
    "What a server does not do, it says",
    case(
        "a method that is not offered", "R4-outcome", ask("", url="metadata", method="delete"), *refused(400, 404, 405)
    ),
    case(
        "an operation that is not known",
        "R4-outcome",
        ask("", url="Observation/$nonsense", method="post", source="basic"),
        *refused(400, 404, 405, 422, 501),
    ),
    case("nobody reads without a token", "R4-outcome", ask("read", target="basic", origin=2), *refused(401, 403)),
    case(
        "nobody writes without a token",
        "R4-outcome",
        ask("create", "Basic", source="basic", origin=2),
        *refused(401, 403),
    ),
    fixtures={"basic": BASIC},
    roles=("operator", "anonymous"),
)
SCRIPTS: Final = (_BATCHING, _TRANSACTING, _REFUSING)
