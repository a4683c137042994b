from __future__ import annotations

from typing import Any

from fhirserver.rest import references
from fhirserver.spec import Definitions

URN = "urn:uuid:61ebe359-bfdc-4613-8bf2-c5e300945f0a"


def document() -> dict[str, Any]:
    return {
        "resourceType": "DocumentReference",
        "text": {"status": "generated", "div": f'<div><a href="{URN}">x</a> {URN}</div>'},
        "contained": [{"resourceType": "Patient", "id": "p", "generalPractitioner": [{"reference": URN}]}],
        "masterIdentifier": {"system": "urn:ietf:rfc:3986", "value": URN},
        "subject": {"reference": URN, "display": URN},
        "author": [{"reference": "#p"}, {"reference": f"{URN}#part"}],
        "content": [{"attachment": {"url": URN, "title": URN}}],
        "extension": [
            {"url": "http://example.org/e", "valueUri": URN},
            {"url": "http://example.org/e", "valueString": URN},
        ],
    }


def test_links_are_replaced_by_type_and_texts_left_alone() -> None:
    resource = document()
    references.resolve(Definitions.core(), resource, {URN: "Patient/1"})
    assert resource["subject"] == {"reference": "Patient/1", "display": URN}
    assert resource["contained"][0]["generalPractitioner"][0]["reference"] == "Patient/1"
    assert resource["author"] == [{"reference": "#p"}, {"reference": "Patient/1#part"}]
    assert resource["content"][0]["attachment"] == {"url": "Patient/1", "title": URN}
    assert [each.get("valueUri", each.get("valueString")) for each in resource["extension"]] == ["Patient/1", URN]
    assert resource["masterIdentifier"]["value"] == URN
    assert resource["text"]["div"] == f'<div><a href="Patient/1">x</a> {URN}</div>'


def test_literal_references_are_those_that_leave_the_resource() -> None:
    assert list(references.literal(Definitions.core(), document())) == [URN, URN, f"{URN}#part"]


def test_what_is_not_fhir_is_passed_over() -> None:
    resource = {"resourceType": "Patient", "contact": "text", "unknown": {"reference": URN}, "name": [None, 3]}
    assert list(references.links(Definitions.core(), resource)) == []
    assert list(references.links(Definitions.core(), {"resourceType": "Nothing", "subject": {"reference": URN}})) == []
