"""Search parameters as they are compiled, those that somebody added among them."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pytest

from fhirserver.search import Indexer
from fhirserver.search.parameters import Catalogue, catalogue
from fhirserver.spec import Definitions, SearchParameter

if TYPE_CHECKING:
    from collections.abc import Mapping


class Added(Definitions):
    """R4 with parameters of Patient added."""

    def __init__(self, *added: SearchParameter) -> None:
        super().__init__(Definitions.core().packages)
        self.added = added

    def search_parameters(self, resource_type: str) -> Mapping[str, SearchParameter]:
        core = super().search_parameters(resource_type)
        return (
            MappingProxyType({**core, **{item.code: item for item in self.added}})
            if resource_type == "Patient"
            else core
        )


def parameter(code: str, kind: str, expression: str | None, *components: tuple[str, str]) -> SearchParameter:
    return SearchParameter(code, kind, expression, f"urn:{code}", (), components)


def test_a_parameter_of_an_extension_is_found_by_its_value() -> None:
    nickname = parameter("nickname", "string", "Patient.extension('urn:nickname')")
    group = parameter("group", "token", "Patient.extension('urn:group')")
    extensions: list[dict[str, Any]] = [
        {"url": "urn:nickname", "valueString": "Léo"},
        {"url": "urn:group", "valueCoding": {"system": "urn:g", "code": "A"}},
        {"url": "urn:group"},
    ]
    found = Indexer(Added(nickname, group)).index({"resourceType": "Patient", "id": "x", "extension": extensions})
    assert "nickname^leo^Léo" in found.t
    assert {"group||a", "group|urn:g|a"} < set(found.t)


@pytest.mark.parametrize(
    ("added", "reason"),
    [
        (parameter("far", "special", "Patient.address"), "type special"),
        (parameter("a.b", "token", "Patient.gender"), "plain name"),
        (parameter("odd", "token", "Patient.gender.("), "cannot be compiled"),
        (parameter("pair", "composite", "Patient.name", ("urn:none", "use"), ("urn:none", "family")), "not known"),
        (parameter("pair", "composite", "Patient.name.where(use='x')", ("a", "use"), ("b", "family")), "plain path"),
        (parameter("pair", "composite", "Patient.name", ("a", "use")), "plain path"),
        (
            parameter(
                "pair",
                "composite",
                "Patient.contact",
                ("http://hl7.org/fhir/SearchParameter/individual-gender", "gender"),
                ("http://hl7.org/fhir/SearchParameter/individual-telecom", "telecom.where(use='home')"),
            ),
            "plain paths",
        ),
    ],
)
def test_a_parameter_that_cannot_be_served_is_refused_with_its_reason(added: SearchParameter, reason: str) -> None:
    found = Catalogue(Added(added)).of("Patient")
    assert added.code not in found.offered
    assert reason in found.refused[added.code]


def test_codes_have_the_systems_of_their_value_set(defs: Definitions) -> None:
    offered = catalogue(defs).of("Patient").offered
    assert offered["gender"].systems == {"http://hl7.org/fhir/administrative-gender"}
    assert offered["gender"].modes == {"exact"}
    assert catalogue(defs).of("ActivityDefinition").offered["status"].systems == {
        "http://hl7.org/fhir/publication-status"
    }
    assert catalogue(defs).of("AuditEvent").offered["action"].modes == {"exact"}


def test_every_parameter_of_r4_is_offered_or_refused(defs: Definitions) -> None:
    for name in defs.resource_types:
        found = catalogue(defs).of(name)
        assert set(found.offered) | set(found.refused) == set(defs.search_parameters(name))
        assert not set(found.offered) & set(found.refused)
    refused = {code for name in defs.resource_types for code in catalogue(defs).of(name).refused}
    assert refused == {"_content", "_filter", "_query", "_text", "age", "birthOrderBoolean", "near", "phonetic"}


def test_a_catalogue_is_compiled_once(defs: Definitions) -> None:
    assert catalogue(defs) is catalogue(defs)
    assert catalogue(defs).of("Patient") is catalogue(defs).of("Patient")
