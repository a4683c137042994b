"""HL7 v3 data types read as FHIR's: each row an element, what comes of it, and what of it stays unread."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from fhirserver import jsontext
from fhirserver.documents.cda import values
from fhirserver.documents.cda.node import Node, Tree, unread
from fhirserver.documents.cda.values import systems, times
from fhirserver.validation import Validator

if TYPE_CHECKING:
    from collections.abc import Callable

UCUM = "http://unitsofmeasure.org"
LOINC = "http://loinc.org"
HEAD = 'xmlns="urn:hl7-org:v3" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'


def element(xml: str) -> Node:
    """The first element within a fragment; narrative with IDs may stand beside it."""
    return Tree(etree.fromstring(f"<r {HEAD}>{xml}</r>")).root.kids[0]


def digits(value: object) -> Any:
    """A JSON value with its numbers as they are written."""
    return json.loads(jsontext.dump(value), parse_float=str, parse_int=str)


def left(node: Node) -> list[str]:
    return [each.part or each.node.name for each in unread(node)]


VALUES: list[tuple[str, dict[str, Any]]] = [
    ('<v xsi:type="PQ" value="13.40" unit="g/dL"/>',
     {"valueQuantity": {"value": Decimal("13.40"), "unit": "g/dL", "system": UCUM, "code": "g/dL"}}),
    ('<v xsi:type="PQ" value="7" unit="G par litre"/>', {"valueQuantity": {"value": 7, "unit": "G par litre"}}),
    ('<v xsi:type="PQ" value="7"/>', {"valueQuantity": {"value": 7, "system": UCUM, "code": "1"}}),
    ('<v xsi:type="PQ" value="+05.20" unit="%"/>',
     {"valueQuantity": {"value": Decimal("5.20"), "unit": "%", "system": UCUM, "code": "%"}}),
    ('<v xsi:type="REAL" value=".5"/>', {"valueQuantity": {"value": Decimal("0.5")}}),
    ('<v xsi:type="INT" value="12"/>', {"valueInteger": 12}),
    ('<v xsi:type="INT" value="99999999999"/>', {"valueQuantity": {"value": 99999999999}}),
    ('<v xsi:type="hl7:ST">trace</v>', {"valueString": "trace"}),
    ('<v xsi:type="BL" value="false"/>', {"valueBoolean": False}),
    ('<v xsi:type="TS" value="20240131"/>', {"valueDateTime": "2024-01-31"}),
    ('<v xsi:type="IVL_PQ"><low value="1" unit="L"/><high value="2" unit="L"/></v>',
     {"valueRange": {"low": {"value": 1, "unit": "L", "system": UCUM, "code": "L"},
                     "high": {"value": 2, "unit": "L", "system": UCUM, "code": "L"}}}),
    ('<v xsi:type="IVL_PQ"><high value="0.03" unit="ug/L" inclusive="false"/></v>',
     {"valueQuantity": {"value": Decimal("0.03"), "comparator": "<", "unit": "ug/L", "system": UCUM, "code": "ug/L"}}),
    ('<v xsi:type="IVL_PQ"><low value="400" unit="m[iU]/L"/></v>',
     {"valueQuantity": {"value": 400, "comparator": ">=", "unit": "m[iU]/L", "system": UCUM, "code": "m[iU]/L"}}),
    ('<v xsi:type="RTO"><numerator xsi:type="INT" value="1"/><denominator xsi:type="INT" value="128"/></v>',
     {"valueRatio": {"numerator": {"value": 1}, "denominator": {"value": 128}}}),
    ('<v xsi:type="CD" code="POS" codeSystem="2.16.840.1.113883.5.83" displayName="Positif" codeSystemName="x"/>',
     {"valueCodeableConcept": {"coding": [{
         "system": "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation", "code": "POS",
         "display": "Positif"}]}}),
    ('<v value="5" unit="mg"/>', {"valueQuantity": {"value": 5, "unit": "mg", "system": UCUM, "code": "mg"}}),
    ('<v xsi:type="MO" value="5.00" currency="EUR"/>',
     {"valueQuantity": {"value": Decimal("5.00"), "unit": "EUR", "system": "urn:iso:std:iso:4217", "code": "EUR"}}),
]  # fmt: skip


@pytest.mark.parametrize(("xml", "expected"), VALUES)
def test_a_value_is_told_whole(xml: str, expected: dict[str, Any], validator: Validator) -> None:
    node = element(xml)
    found = values.value(node)
    assert digits(found) == digits(expected)
    assert left(node) == []
    resource = {"resourceType": "Observation", "status": "final", "code": {"text": "x"}, **found}
    assert [issue for issue in validator.check(resource) if issue.is_error] == []


@pytest.fixture(scope="module")
def validator() -> Validator:
    return Validator()


@pytest.mark.parametrize(
    "xml",
    [
        '<v xsi:type="PQ" value="5,2" unit="g"/>',
        '<v xsi:type="PQ" value="NaN" unit="g"/>',
        '<v xsi:type="PQ" nullFlavor="UNK"/>',
        f'<v xsi:type="REAL" value="{"1" * 35}"/>',
        '<v xsi:type="TS" value="20240231"/>',
        '<v xsi:type="BL" value="oui"/>',
        '<v xsi:type="SLIST_PQ"><digits>1 2 3</digits></v>',
        '<v xsi:type="ED" mediaType="application/pdf" representation="B64">AAAA</v>',
    ],
)
def test_what_cannot_be_told_stays_unread(xml: str) -> None:
    node = element(xml)
    assert values.value(node) == {}
    assert left(node)


def test_an_interval_that_runs_backwards_says_nothing() -> None:
    node = element('<v xsi:type="IVL_PQ"><low value="9" unit="g"/><high value="1" unit="g"/></v>')
    assert (values.value(node), left(node)) == ({}, ["v"])
    other = element('<v xsi:type="IVL_PQ"><low value="9" unit="g"/><high value="1" unit="kg"/></v>')
    assert "valueRange" in values.value(other)


def test_nothing_is_counted_from_a_meal_as_a_whole() -> None:
    node = element('<e xsi:type="EIVL_TS"><event code="C"/><offset><low value="30" unit="min"/></offset></e>')
    assert values.timing([node]) == {"repeat": {"when": ["C"]}}
    assert left(node) == ["offset"]


def test_the_second_unit_of_an_amount_is_kept() -> None:
    node = element(
        '<v xsi:type="PQ" value="5.55" unit="mmol/L"><translation value="1.00" code="g/L"'
        ' codeSystem="2.16.840.1.113883.6.8" displayName="g/l"/></v>'
    )
    assert values.quantity(node) == {
        "extension": [
            {
                "url": "http://hl7.org/fhir/StructureDefinition/iso21090-PQ-translation",
                "valueQuantity": {"value": Decimal("1.00"), "unit": "g/l", "system": UCUM, "code": "g/L"},
            }
        ],
        "value": Decimal("5.55"),
        "unit": "mmol/L",
        "system": UCUM,
        "code": "mmol/L",
    }
    assert left(node) == []


def test_an_excluded_end_of_a_range_is_named() -> None:
    node = element('<v xsi:type="IVL_PQ"><low value="1" inclusive="false"/><high value="2" inclusive="true"/></v>')
    assert "valueRange" in values.value(node)
    assert left(node) == ["@inclusive"]


@pytest.mark.parametrize(
    ("xml", "expected"),
    [
        ('<id root="1.2.250.1.71.4.2.1" extension="810001112225"/>', ("https://rpps.esante.gouv.fr", "10001112225")),
        ('<id root="1.2.250.1.71.4.2.1" extension="0750000011"/>', ("urn:oid:1.2.250.1.71.4.2.1", "0750000011")),
        ('<id root="1.2.250.1.71.4.2.2" extension="1750000001"/>', ("https://finess.esante.gouv.fr", "750000001")),
        ('<id root="1.2.250.1.71.4.2.2" extension="312345678901234"/>', ("https://sirene.fr", "12345678901234")),
        ('<id root="1.2.250.1.213.1.4.8" extension="160128506500131"/>',
         ("urn:oid:1.2.250.1.213.1.4.8", "160128506500131")),
        ('<id root="1.2.3"/>', ("urn:ietf:rfc:3986", "urn:oid:1.2.3")),
        ('<id root="F81D4FAE-7DEC-11D0-A765-00A0C91E6BF6"/>',
         ("urn:ietf:rfc:3986", "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6")),
        ('<id root="LABO" extension="7"/>', (None, "7")),
    ],
)  # fmt: skip
def test_identifiers_of_national_registers_have_systems_of_their_own(
    xml: str, expected: tuple[str | None, str]
) -> None:
    node = element(xml)
    found = values.identifier(node)
    assert found is not None
    assert (found.get("system"), found["value"]) == expected
    assert left(node) == []


def test_a_concept_has_its_translations_and_the_text_it_refers_to() -> None:
    node = element(
        '<code code="718-7" codeSystem="2.16.840.1.113883.6.1"><originalText><reference value="#h"/></originalText>'
        '<translation code="HB" codeSystem="1.2.3" displayName="Hb"/></code><td ID="h">Hémo<b>globine</b></td>'
    )
    assert values.concept(node) == {
        "coding": [
            {"system": LOINC, "code": "718-7"},
            {"system": "urn:oid:1.2.3", "code": "HB", "display": "Hb"},
        ],
        "text": "Hémoglobine",
    }
    assert left(node) == []


def test_a_code_that_is_unknown_keeps_its_null_flavor_beside_a_translation() -> None:
    node = element('<code nullFlavor="OTH"><translation code="HB" codeSystem="1.2.3"/></code>')
    found = values.concept(node)
    assert found is not None
    assert found["extension"] == [
        {"url": "http://hl7.org/fhir/StructureDefinition/iso21090-nullFlavor", "valueCode": "OTH"}
    ]
    assert left(node) == []


def test_a_code_that_is_missing_says_why() -> None:
    node = element('<code nullFlavor="MSK"/>')
    assert values.concept(node) is None
    assert left(node) == ["code"]
    assert values.required(node)["extension"][0]["valueCode"] == "masked"
    assert left(node) == []


TIMES = [
    ("2024", "2024"),
    ("202401", "2024-01"),
    ("20240131", "2024-01-31"),
    ("2024013110+0100", "2024-01-31T10:00:00+01:00"),
    ("202401311030+01", "2024-01-31T10:30:00+01:00"),
    ("20240131103015.25Z", "2024-01-31T10:30:15.25Z"),
    ("20240131103015", "2024-01-31T10:30:15+01:00"),
    ("20240731103015", "2024-07-31T10:30:15+02:00"),
    ("20240731103015-0400", "2024-07-31T10:30:15-04:00"),
    ("20240231", None),
    ("20241301", None),
    ("202401312530", None),
    ("2024-01-31", None),
    ("20240131103015.1234567890", None),
    ("0000", None),
    ("", None),
]


@pytest.mark.parametrize(("text", "expected"), TIMES)
def test_a_time_keeps_its_precision_and_zone(text: str, expected: str | None) -> None:
    assert times.read(text) == expected


@given(st.datetimes(), st.integers(-14 * 60, 14 * 60))
def test_a_written_time_reads_as_itself(moment: datetime, minutes: int) -> None:
    zone = timezone(timedelta(minutes=minutes))
    text = moment.replace(microsecond=0, tzinfo=zone).isoformat()
    assert times.read(times.write(text)) == text


def test_an_interval_of_time_is_a_period() -> None:
    assert values.period(element('<t><low value="20240101"/><high value="20240105"/></t>')) == {
        "start": "2024-01-01",
        "end": "2024-01-05",
    }
    assert values.period(element('<t><low value="20240101"/><width value="7" unit="d"/></t>')) == {
        "start": "2024-01-01",
        "end": "2024-01-08",
    }
    assert values.when(element('<t value="20240101"/>')) == {"effectiveDateTime": "2024-01-01"}
    assert values.when(element('<t nullFlavor="UNK"/>')) == {}


def test_how_a_medicine_is_taken_is_a_timing(validator: Validator) -> None:
    root = Tree(
        etree.fromstring(
            f'<r {HEAD}><t xsi:type="IVL_TS"><low value="20240101"/></t>'
            '<t xsi:type="PIVL_TS" institutionSpecified="true" operator="A"><period value="8" unit="h"/></t>'
            '<t xsi:type="EIVL_TS"><event code="ACM"/><offset><low value="30" unit="min"/></offset></t></r>'
        )
    ).root
    found = values.timing(root.kids)
    assert found == {
        "repeat": {
            "boundsPeriod": {"start": "2024-01-01"},
            "frequency": 3,
            "period": 1,
            "periodUnit": "d",
            "when": ["ACM"],
            "offset": 30,
        }
    }
    assert unread(root) == []


NAMES = [
    ('<name><prefix>DR</prefix><given>Anne</given><family>Roux</family></name>',
     [{"prefix": ["DR"], "given": ["Anne"], "family": "Roux"}]),
    (('<name><family qualifier="BR">Petit</family><family qualifier="SP">Roux</family>'
     '<given qualifier="BR">Anne</given>'
     "<given>Anne Marie</given></name>"),
     [{"use": "official", "family": "Petit", "given": ["Anne"], "extension": [{
         "url": "https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-patient-birth-list-given-name",
         "valueString": "Anne Marie"}]},
      {"use": "usual", "family": "Roux", "given": ["Anne"]}]),
    ("<name>Anne Roux</name>", [{"text": "Anne Roux"}]),
    ('<name nullFlavor="UNK"/>', []),
]  # fmt: skip


@pytest.mark.parametrize(("xml", "expected"), NAMES)
def test_names_of_birth_and_of_use_are_two(xml: str, expected: list[dict[str, Any]]) -> None:
    node = element(xml)
    assert values.human_names(node) == expected
    assert left(node) == (["name"] if "nullFlavor" in xml else [])


PLACES: list[tuple[Callable[..., Any], str, dict[str, Any] | None]] = [
    (values.address,
     ('<addr use="HP"><houseNumber>3</houseNumber><streetName>rue Haute</streetName><postalCode>75001</postalCode>'
     "<city>Paris</city><county>75101</county></addr>"),
     {"use": "home", "line": ["3 rue Haute"], "postalCode": "75001", "city": "Paris",
      "extension": [{"url": "https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-address-insee-code",
                     "valueCoding": {"system": "https://mos.esante.gouv.fr/NOS/TRE_R13-Commune/FHIR/TRE-R13-Commune",
                                     "code": "75101"}}]}),
    (values.address, "<addr>12 rue Basse\n 33000 Bordeaux</addr>", {"text": "12 rue Basse 33000 Bordeaux"}),
    (values.contact_point, '<telecom value="tel:+33 1 02" use="MC"/>',
     {"system": "phone", "value": "+33 1 02", "use": "mobile"}),
    (values.contact_point, '<telecom value="mailto:a@b.fr"/>', {"system": "email", "value": "a@b.fr"}),
    (values.contact_point, '<telecom value="0102030405"/>', {"system": "phone", "value": "0102030405"}),
    (values.contact_point, '<telecom value="http://a.fr/"/>', {"system": "url", "value": "http://a.fr/"}),
    (values.contact_point, '<telecom nullFlavor="UNK"/>', None),
]  # fmt: skip


@pytest.mark.parametrize(("read", "xml", "expected"), PLACES)
def test_places_and_telecommunications(read: Callable[..., Any], xml: str, expected: dict[str, Any] | None) -> None:
    node = element(xml)
    assert read(node) == expected
    assert left(node) == ([] if expected else [node.name])


def test_unknown_parts_of_an_address_stay_unread() -> None:
    node = element("<addr><city>Lyon</city><planet>Terre</planet></addr>")
    assert values.address(node) == {"city": "Lyon"}
    assert left(node) == ["planet"]


def test_every_oid_of_the_table_comes_back() -> None:
    forward, backward = systems._tables()
    assert len(forward) > 200
    for uri, number in backward.items():
        assert systems.system(number) == uri
        assert systems.oid(uri) == number
    assert systems.system("2.16.840.1.113883.12.7") == "http://terminology.hl7.org/CodeSystem/v2-0007"
    assert systems.oid("http://terminology.hl7.org/CodeSystem/v2-0007") == "2.16.840.1.113883.12.7"
    assert systems.system("1.2.3.4") == "urn:oid:1.2.3.4"


@given(st.text(max_size=30))
def test_no_text_breaks_a_reader(text: str) -> None:
    times.read(text)
    values.number(text)
    node = Node(
        "v",
        {"value": text, "unit": text, "code": text, "root": text, "xsi:type": "PQ"},
        "",
        None,
        Tree(etree.fromstring("<a/>")),
    )
    for read in (values.value, values.concept, values.identifier, values.contact_point, values.period, values.uri):
        read(node)
