"""Reads, versions, formats, capabilities."""

from __future__ import annotations

from typing import Final

from tools.conformance.building import ask, case, check, header, refused, says, script, status, variable
from tools.conformance.rest.common import READ, SYSTEM, WHOLE, WHOLE_BACK, observation

_READING: Final = script(
    "rest-read",
    "Reading a resource",
    case("read", "R4-read", READ, status(200), check("all that was stored", minimumId="whole")),
    case("the id is that of the address", "R4-read", READ, says("Observation.id", "${id}")),
    case("ETag of the version", "R4-read-headers", READ, header("ETag", "${version}", "contains")),
    case("Last-Modified", "R4-read-headers", READ, header("Last-Modified")),
    case(
        "meta is the server's",
        "R4-meta",
        READ,
        says("Observation.meta.versionId.exists() and Observation.meta.lastUpdated.exists()"),
    ),
    case("an unknown id", "R4-read-unknown R4-outcome", ask("read", "Observation", "/${run}-nobody"), *refused(404)),
    case("an unknown type", "R4-read-unknown", ask("", url="Nonsense/1"), status(404, 400)),
    case(
        "a malformed id is no resource", "R4-read-unknown", ask("read", "Observation", "/not_an_id!"), status(400, 404)
    ),
    case(
        "If-None-Match of the version",
        "R4-conditional-read",
        ask("read", target="whole", response="first"),
        ask("read", target="whole", headers={"If-None-Match": "${etag}"}),
        status(304),
    ),
    case(
        "If-None-Match of another version",
        "R4-conditional-read",
        ask("read", target="whole", headers={"If-None-Match": 'W/"another"'}),
        status(200),
    ),
    case(
        "If-Modified-Since the version",
        "R4-conditional-read",
        ask("read", target="whole", response="first"),
        ask("read", target="whole", headers={"If-Modified-Since": "${modified}"}),
        status(304),
    ),
    case(
        "If-Modified-Since long before",
        "R4-conditional-read",
        ask("read", target="whole", headers={"If-Modified-Since": "Mon, 01 Jan 2001 00:00:00 GMT"}),
        status(200),
    ),
    fixtures={"whole": WHOLE},
    variables=(
        variable("id", "whole", "Observation.id"),
        variable("version", default='"'),
        variable("etag", "first", header="ETag"),
        variable("modified", "first", header="Last-Modified"),
    ),
)

_VERSIONS: Final = script(
    "rest-versions",
    "Versions and history",
    case(
        "vread of the first version",
        "R4-vread",
        ask("", url="Observation/${id}/_history/${first}"),
        status(200),
        says("Observation.status", "final"),
        header("ETag", "${first}", "contains"),
    ),
    case(
        "vread of the second version",
        "R4-vread",
        ask("", url="Observation/${id}/_history/${second}"),
        status(200),
        says("Observation.status", "amended"),
    ),
    case(
        "vread of a version that is not",
        "R4-vread R4-outcome",
        ask("", url="Observation/${id}/_history/99999"),
        *refused(404),
    ),
    case(
        "a read gives the newest",
        "R4-update",
        ask("read", "Observation", "/${id}"),
        says("Observation.status", "amended"),
    ),
    case(
        "history of the resource",
        "R4-history",
        ask("", url="Observation/${id}/_history"),
        status(200),
        says("Bundle.type", "history"),
        says("Bundle.entry.count()", "2"),
        says("Bundle.entry[0].resource.status", "amended", "the newest first"),
        says("Bundle.entry[1].request.method", "POST", "the oldest was made by POST"),
        says("Bundle.entry[0].request.method", "PUT", "the newest by PUT"),
    ),
    case(
        "history bounded by _count",
        "R4-history",
        ask("", url="Observation/${id}/_history?_count=1"),
        status(200),
        says("Bundle.entry.count()", "1"),
    ),
    case("history of what is not known", "R4-history", ask("", url="Observation/${run}-nobody/_history"), status(404)),
    case(
        "history of the type",
        "R4-history-type",
        ask("", url="Observation/_history?_count=3"),
        status(200),
        says("Bundle.type = 'history' and Bundle.entry.count() <= 3"),
    ),
    case(
        "history of the type since a time to come",
        "R4-history-type",
        ask("", url="Observation/_history?_since=2199-01-01T00:00:00Z"),
        status(200),
        says("Bundle.entry.count()", "0"),
    ),
    fixtures={
        "-one": observation("versions"),
        "-two": {**observation("versions"), "status": "amended", "id": "${id}"},
    },
    variables=(
        variable("id", "made", "Observation.id"),
        variable("first", "made", "Observation.meta.versionId"),
        variable("second", "changed", "Observation.meta.versionId"),
    ),
    setup=(
        ask("create", "Observation", source="one", response="made", headers=WHOLE_BACK),
        status(201),
        ask("", url="Observation/${id}", method="put", source="two", response="changed", headers=WHOLE_BACK),
        status(200),
    ),
    teardown=(ask("", url="Observation/${id}", method="delete"),),
)

_NEGOTIATING: Final = script(
    "rest-formats",
    "JSON and XML",
    case("JSON by Accept", "R4-formats", READ, check("FHIR JSON", contentType="json")),
    case(
        "XML by Accept",
        "R4-formats",
        ask("read", target="whole", accept="xml"),
        status(200),
        check("FHIR XML", contentType="xml"),
        check("its status", path="/f:Observation/f:status/@value", operator="equals", value="final"),
    ),
    case(
        "XML by _format",
        "R4-formats",
        ask("", url="Observation/${id}?_format=xml", headers={"Accept": "*/*"}),
        status(200),
        check("FHIR XML", contentType="xml"),
    ),
    case(
        "_format goes before Accept",
        "R4-formats",
        ask("", url="Observation/${id}?_format=json", accept="xml"),
        status(200),
        check("FHIR JSON", contentType="json"),
    ),
    case(
        "a searchset in XML",
        "R4-formats",
        ask("search", "Observation", f"?identifier={SYSTEM}|${{run}}-whole", accept="xml"),
        status(200),
        check("one entry", path="count(/f:Bundle/f:entry)", operator="equals", value="1"),
    ),
    case(
        "decimals keep their digits in XML",
        "R4-decimal",
        ask("create", "Observation", source="exact", response="made", headers=WHOLE_BACK),
        ask("", url="Observation/${made}", accept="xml"),
        check(
            "0.0100 is still 0.0100",
            path="/f:Observation/f:valueQuantity/f:value/@value",
            operator="contains",
            value="0.0100",
        ),
    ),
    case(
        "created in XML",
        "R4-formats",
        ask("create", "Observation", source="whole", content="xml", response="made", headers=WHOLE_BACK),
        status(201),
        check("all of it", minimumId="whole"),
    ),
    case(
        "a form that is not offered",
        "R4-formats-refused",
        ask("read", target="whole", accept="application/x-nonsense"),
        status(406),
    ),
    case(
        "a body of a form that is not offered",
        "R4-formats-refused",
        ask("create", "Observation", source="whole", content="application/x-nonsense"),
        status(415),
    ),
    fixtures={"whole": WHOLE, "-exact": "fixtures/exact.json"},
    variables=(variable("id", "whole", "Observation.id"), variable("made", "made", "Observation.id")),
)

_CAPABILITIES: Final = script(
    "rest-capabilities",
    "What the server says of itself",
    case(
        "a CapabilityStatement",
        "R4-capabilities",
        ask("capabilities"),
        status(200),
        check("its type", resource="CapabilityStatement"),
    ),
    case("of R4", "R4-capabilities", ask("capabilities"), says("CapabilityStatement.fhirVersion", "4.0.1")),
    case(
        "of a server",
        "R4-capabilities",
        ask("capabilities"),
        says("CapabilityStatement.rest.where(mode = 'server').exists()"),
    ),
    case("with its formats", "R4-capabilities", ask("capabilities"), says("CapabilityStatement.format.exists()")),
    case(
        "with interactions of its types",
        "R4-capabilities",
        ask("capabilities"),
        says("CapabilityStatement.rest.resource.where(type = 'Observation').interaction.where(code = 'read').exists()"),
    ),
    case(
        "in XML too",
        "R4-capabilities R4-formats",
        ask("capabilities", accept="xml"),
        status(200),
        check("FHIR XML", contentType="xml"),
    ),
    case("without a token", "R4-capabilities", ask("capabilities", origin=2), status(200)),
    roles=("operator", "anonymous"),
)
SCRIPTS: Final = (_READING, _VERSIONS, _NEGOTIATING, _CAPABILITIES)
