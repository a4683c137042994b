"""What reads may tell of what is hidden: a masked result and somebody else's, to a physician who sees the rest."""

from __future__ import annotations

from typing import Any, Final

from tools.conformance.building import MATCHES, ask, case, check, says, script, status, variable
from tools.conformance.consent.common import (
    MASKED,
    OPERATOR,
    OTHER,
    OURS,
    PHYSICIAN,
    SYSTEM,
    amount,
    hidden,
    observation,
    record,
    reference,
    search,
    shown,
)
from tools.conformance.pdsm import RFC, document, unique

_WORLD: Final[dict[str, Any]] = {
    "stranger": {"resourceType": "Patient", "active": True, "name": [{"family": "AILLEURS${run}"}]},
    "x": observation("x", "2160-0", **MASKED, **amount(99)),
    "y": observation("y", "2160-0", of="${stranger}", **amount(98)),
    "a": observation("a", **amount(13.5), hasMember=[reference("Observation/${x}"), reference("Observation/${b}")]),
    "b": observation("b", **amount(12)),
    "told": {
        "resourceType": "Provenance",
        "target": [reference("Observation/${x}")],
        "recorded": "2026-01-15T08:00:00Z",
        "agent": [{"who": reference("Practitioner/${otherPhysicianId}")}],
    },
}
"""a and b are seen; x is masked, y is somebody else's; a names x. b comes first, since a names it too."""
_ORDER: Final = ("stranger", "x", "y", "b", "a", "told")
_FIXTURES: Final = {each: _WORLD[each] for each in _ORDER}
_HIDDEN: Final = "HIDDEN"


def _alike(name: str, path: str, requirement: str = "ACCESS-absent", **more: Any) -> dict[str, Any]:
    """What is masked, and what is somebody else's, is answered like what never was."""
    code = "OperationOutcome.issue.code"
    compared = {"compareToSourceId": "absent", "compareToSourceExpression": code, "operator": "equals"}
    same = check("the same issue as of what never was", expression=code, **compared)
    return case(
        name,
        requirement,
        ask("", url=path.replace(_HIDDEN, "${run}-nobody"), origin=PHYSICIAN, response="absent", **more),
        status(404),
        ask("", url=path.replace(_HIDDEN, "${x}"), origin=PHYSICIAN, **more),
        status(404),
        same,
        ask("", url=path.replace(_HIDDEN, "${y}"), origin=PHYSICIAN, **more),
        status(404),
        same,
    )


_READS: Final = record(
    "reads",
    "What is hidden is read as what never was",
    case("what is not hidden is read", "ACCESS-team", *shown("Observation/${a}"), *shown("Patient/${person}")),
    case("the operator reads what is hidden", "ACCESS-absent", *shown("Observation/${x}", origin=OPERATOR)),
    _alike("read", "Observation/HIDDEN"),
    _alike("vread", "Observation/HIDDEN/_history/1"),
    _alike("history of an instance", "Observation/HIDDEN/_history"),
    _alike("a read that asks for a summary", "Observation/HIDDEN?_summary=true"),
    _alike("If-None-Match of its version", "Observation/HIDDEN", headers={"If-None-Match": 'W/"1"'}),
    _alike("If-None-Match of any", "Observation/HIDDEN", headers={"If-None-Match": "*"}),
    _alike(
        "If-Modified-Since in the future",
        "Observation/HIDDEN",
        headers={"If-Modified-Since": "Sun, 01 Jan 2090 00:00:00 GMT"},
    ),
    case(
        "no headers of a version",
        "ACCESS-absent",
        ask("", url="Observation/${x}", origin=PHYSICIAN),
        check("no ETag", headerField="ETag", operator="empty"),
        check("no Last-Modified", headerField="Last-Modified", operator="empty"),
    ),
    case("as XML", "ACCESS-absent", *hidden("Observation/${x}", accept="xml"), check("XML", contentType="xml")),
    case("HEAD", "ACCESS-absent", *hidden("Observation/${x}", method="head")),
    case("somebody else's Patient", "ACCESS-absent", *hidden("Patient/${stranger}")),
    case("the same for who sees nothing of it", "ACCESS-none", *hidden("Observation/${a}", origin=OTHER)),
    case("nor the person", "ACCESS-none", *hidden("Patient/${person}", origin=OTHER)),
    fixtures=_FIXTURES,
)
_SEARCHES: Final = record(
    "searches",
    "What is hidden is neither found nor counted",
    search("all that is seen, and nothing else", "ACCESS-search", "_sort=_id", "ab"),
    search("the operator finds all of it", "ACCESS-search", "_sort=_id", "abxy", origin=OPERATOR),
    search("who sees nothing finds nothing", "ACCESS-search ACCESS-none", "_sort=_id", "", origin=OTHER),
    search("by its id", "ACCESS-search", "_id=${x},${y}", ""),
    search("by its code", "ACCESS-search", "code=2160-0", ""),
    search("by its value", "ACCESS-search", "value-quantity=gt90", ""),
    search("by the complement of what is seen", "ACCESS-search", "code:not=718-7", ""),
    search("by the patient", "ACCESS-search", "patient=${stranger}", ""),
    search("by when it changed", "ACCESS-search", "_lastUpdated=gt2020-01-01", "ab"),
    case(
        "by POST",
        "ACCESS-search",
        ask("search", "Observation", f"?{OURS}&code=2160-0", method="post", origin=PHYSICIAN),
        status(200),
        says(f"{MATCHES}.empty()"),
    ),
    case(
        "the total",
        "ACCESS-total",
        ask("search", "Observation", f"?{OURS}&_total=accurate&_count=1", origin=PHYSICIAN),
        says("Bundle.total", "2"),
    ),
    case(
        "the count alone",
        "ACCESS-total",
        ask("search", "Observation", f"?{OURS}&_summary=count", origin=PHYSICIAN),
        says("Bundle.total", "2"),
    ),
    case(
        "a count of what is hidden",
        "ACCESS-total",
        ask("search", "Observation", f"?{OURS}&code=2160-0&_summary=count", origin=PHYSICIAN),
        says("Bundle.total", "0"),
    ),
    case(
        "pages are full, and end where what is seen ends",
        "ACCESS-pages",
        ask("search", "Observation", f"?{OURS}&_count=1&_sort=code,_id", origin=PHYSICIAN, response="page"),
        says(f"{MATCHES}.count()", "1"),
        ask("", url="${next}", encodeRequestUrl=False, origin=PHYSICIAN),
        says(f"{MATCHES}.count()", "1"),
        says("Bundle.link.where(relation = 'next').empty()", text="no third page"),
    ),
    case(
        "another's link to a page shows nothing more",
        "ACCESS-pages",
        ask("search", "Observation", f"?{OURS}&code=2160-0&_count=1", response="page"),
        says("Bundle.link.where(relation = 'next').exists()"),
        ask("", url="${next}", encodeRequestUrl=False, origin=PHYSICIAN),
        says("$this.ofType(Bundle).entry.resource.ofType(Observation).empty()", text="none of it"),
    ),
    case(
        "a search of the compartment",
        "ACCESS-search",
        ask("", url="Patient/${person}/Observation?code=2160-0", origin=PHYSICIAN),
        says("$this.ofType(Bundle).entry.resource.ofType(Observation).empty()", text="none of it"),
    ),
    case(
        "the compartment of somebody else",
        "ACCESS-search",
        ask("", url="Patient/${stranger}/Observation", origin=PHYSICIAN),
        says("$this.ofType(Bundle).entry.resource.ofType(Observation).empty()", text="none of it"),
    ),
    case(
        "Patients by name",
        "ACCESS-search",
        ask("search", "Patient", "?family=AILLEURS${run}&_total=accurate", origin=PHYSICIAN),
        says("Bundle.total", "0"),
    ),
    fixtures=_FIXTURES,
    variables=(variable("next", "page", "Bundle.link.where(relation = 'next').url"),),
)
_JOINS: Final = record(
    "joins",
    "What is hidden is neither reached nor brought along",
    search("a chain to what is seen", "ACCESS-chain", "has-member:Observation.code=718-7", "a"),
    search("a chain to what is hidden", "ACCESS-chain", "has-member:Observation.code=2160-0", ""),
    search("a chain by its value", "ACCESS-chain", "has-member:Observation.value-quantity=gt90", ""),
    search("a chain to a person unseen", "ACCESS-chain", "patient.family=AILLEURS${run}", ""),
    search("the operator passes the chain", "ACCESS-chain", "has-member:Observation.code=2160-0", "a", origin=OPERATOR),
    search("_has by what is seen", "ACCESS-chain", f"_has:Observation:has-member:identifier={SYSTEM}|${{run}}-a", "b"),
    search("_has by what is hidden", "ACCESS-chain", "_has:Provenance:target:recorded=2026-01-15", ""),
    case(
        "_has of a person by a hidden value",
        "ACCESS-chain",
        ask(
            "search",
            "Patient",
            "?_id=${person}&_has:Observation:patient:value-quantity=gt90",
            origin=PHYSICIAN,
        ),
        status(200),
        says("Bundle.entry.empty()"),
    ),
    case(
        "_include brings what is seen alone",
        "ACCESS-include",
        ask("search", "Observation", "?_id=${a}&_include=Observation:has-member", origin=PHYSICIAN),
        says("Bundle.entry.resource.ofType(Observation).bodySite.text.where($this = 'b').exists()"),
        says("Bundle.entry.resource.ofType(Observation).bodySite.text.where($this = 'x').empty()"),
    ),
    case(
        "_revinclude brings what is seen alone",
        "ACCESS-include",
        ask("search", "Patient", "?_id=${person}&_revinclude=Observation:patient", origin=PHYSICIAN),
        says("Bundle.entry.resource.ofType(Observation).bodySite.text.where($this = 'a').exists()"),
        says("Bundle.entry.resource.ofType(Observation).bodySite.text.where($this = 'x').empty()"),
    ),
    case(
        "_include:iterate passes through nothing hidden",
        "ACCESS-include",
        ask(
            "search",
            "Observation",
            "?_id=${a}&_include=Observation:has-member&_revinclude:iterate=Provenance:target",
            origin=PHYSICIAN,
        ),
        status(200),
        says("Bundle.entry.resource.ofType(Provenance).empty()"),
    ),
    case(
        "$everything",
        "ACCESS-everything",
        ask("", url="Patient/${person}/$everything", origin=PHYSICIAN),
        status(200),
        says("Bundle.entry.resource.ofType(Observation).bodySite.text.where($this = 'a').exists()"),
        says("Bundle.entry.resource.ofType(Observation).bodySite.text.where($this = 'x').empty()"),
    ),
    case("$everything of a person unseen", "ACCESS-everything", *hidden("Patient/${stranger}/$everything")),
    case(
        "the history of the type",
        "ACCESS-history",
        ask("", url="Observation/_history?_count=200", origin=PHYSICIAN),
        says("$this.ofType(Bundle).entry.resource.where(id = '${x}' or id = '${y}').empty()", text="none of it"),
    ),
    case(
        "entries of a batch",
        "ACCESS-absent",
        ask("batch", source="batch", origin=PHYSICIAN),
        status(200),
        says("Bundle.entry[0].response.status.startsWith('200')"),
        says("Bundle.entry[1].response.status.startsWith('404')"),
        says("Bundle.entry[2].resource.ofType(Bundle).entry.empty()"),
    ),
    fixtures={
        **_FIXTURES,
        "-batch": {
            "resourceType": "Bundle",
            "type": "batch",
            "entry": [
                {"request": {"method": "GET", "url": url}}
                for url in ("Observation/${a}", "Observation/${x}", f"Observation?{OURS}&code=2160-0")
            ],
        },
    },
)
_DOCUMENTS: Final = record(
    "documents",
    "A masked document, and its bytes",
    case("the other document and its bytes are seen", "ACCESS-team", *shown("DocumentReference/${plain}")),
    case("the document", "ACCESS-masked", *hidden("DocumentReference/${masked}")),
    case(
        "its bytes",
        "ACCESS-binary",
        ask("", url="DocumentReference/${masked}", response="whole"),
        status(200),
        ask("", url="${bytes}", accept="text/plain"),
        status(200),
        *hidden("${bytes}", accept="text/plain"),
        *hidden("${bytes}", accept="json"),
    ),
    case(
        "a search of documents",
        "ACCESS-masked ACCESS-total",
        ask("search", "DocumentReference", f"?{OURS}&_total=accurate", origin=PHYSICIAN),
        says("Bundle.total", "1"),
    ),
    case(
        "a search by its unique id",
        "ACCESS-masked",
        ask(
            "search",
            "DocumentReference",
            f"?identifier={RFC}|{unique(2)}&_total=accurate",
            origin=PHYSICIAN,
        ),
        says("Bundle.total", "0"),
    ),
    case(
        "a search by its label",
        "ACCESS-masked",
        ask("search", "DocumentReference", f"?{OURS}&security-label=MASQUE_PS&_total=accurate", origin=PHYSICIAN),
        says("Bundle.total", "0"),
    ),
    fixtures={
        "plain": document(1, "${person}"),
        "masked": document(2, "${person}", securityLabel=[{"coding": [{"code": "MASQUE_PS"}]}]),
    },
    variables=(variable("bytes", "whole", "DocumentReference.content.attachment.url"),),
)
_ANONYMOUS: Final = script(
    "consent-anonymous",
    "Without a token nothing is told",
    *(
        case(
            f"nobody {name}",
            "ACCESS-token",
            ask("", url=url, origin=2),
            status(401),
            check("how to ask", headerField="WWW-Authenticate", operator="contains", value="Bearer"),
        )
        for name, url in (
            ("reads", "Patient/${patientId}"),
            ("searches", "Patient?_id=${patientId}"),
            ("sees a history", "Patient/${patientId}/_history"),
            ("asks for everything", "Patient/${patientId}/$everything"),
        )
    ),
    case(
        "a token that is none",
        "ACCESS-token",
        ask("", url="Patient/${patientId}", origin=2, headers={"Authorization": "Bearer nonsense"}),
        status(401),
    ),
    case(
        "a token that nobody signed",
        "ACCESS-token",
        ask(
            "",
            url="Patient/${patientId}",
            origin=2,
            headers={"Authorization": "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJvcGVyYXRvciIsImV4cCI6NDEwMjQ0NDgwMH0."},
        ),
        status(401),
    ),
    roles=("operator", "anonymous"),
)
LEAKS: Final = (_READS, _SEARCHES, _JOINS, _DOCUMENTS, _ANONYMOUS)
