from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from fhirserver import jsontext, xmltext
from fhirserver.errors import BadRequest, InvalidXml
from fhirserver.spec import Definitions

CORE = Definitions.core()
XHTML = 'xmlns="http://www.w3.org/1999/xhtml"'


def parse(body: str | bytes) -> dict[str, Any]:
    return xmltext.parse(body.encode() if isinstance(body, str) else body, CORE)


def patient(inner: str) -> dict[str, Any]:
    return parse(f'<Patient xmlns="http://hl7.org/fhir">{inner}</Patient>')


def observation(inner: str) -> dict[str, Any]:
    return parse(f'<Observation xmlns="http://hl7.org/fhir">{inner}</Observation>')


def test_values_are_typed_by_their_element() -> None:
    found = patient('<id value="1"/><active value="true"/><birthDate value="2020"/><multipleBirthInteger value="+2"/>')
    assert found == {
        "resourceType": "Patient",
        "id": "1",
        "active": True,
        "birthDate": "2020",
        "multipleBirthInteger": 2,
    }


@pytest.mark.parametrize("digits", ["1.50", "1e2", "20000000000000000000", "-0", "-0.0", "0.0000000", "100", "1E+2"])
def test_decimals_are_read_as_json_reads_them(digits: str) -> None:
    found = observation(f'<valueQuantity><value value="{digits}"/></valueQuantity>')["valueQuantity"]["value"]
    same = jsontext.parse(digits.encode())
    assert (type(found), found, jsontext.dump(found)) == (type(same), same, digits.encode())


def test_ids_urls_and_extensions_find_their_places() -> None:
    found = patient(
        '<extension id="e" url="http://a"><valueDecimal value="1.0"/></extension><name id="n"><given/></name>'.replace(
            "<given/>", '<given value="A"/><given id="g"/><given value="C"/>'
        )
        + '<birthDate id="b" value="2020-01-01">'
        '<extension url="http://t"><valueTime value="12:00:00"/></extension></birthDate>'
    )
    assert found["extension"] == [{"id": "e", "url": "http://a", "valueDecimal": Decimal("1.0")}]
    assert found["name"] == [{"id": "n", "given": ["A", None, "C"], "_given": [None, {"id": "g"}, None]}]
    assert found["birthDate"] == "2020-01-01"
    assert found["_birthDate"] == {"id": "b", "extension": [{"url": "http://t", "valueTime": "12:00:00"}]}


def test_an_array_of_nothing_but_extensions_is_in_the_pair_alone() -> None:
    found = patient('<name><given><extension url="u"><valueBoolean value="false"/></extension></given></name>')
    assert found["name"] == [{"_given": [{"extension": [{"url": "u", "valueBoolean": False}]}]}]


def test_resources_lie_in_resources() -> None:
    found = parse(
        '<Bundle xmlns="http://hl7.org/fhir"><type value="collection"/><entry><resource>'
        '<Patient><contained><Organization><id value="o"/></Organization></contained></Patient>'
        "</resource></entry></Bundle>"
    )
    inner = {"resourceType": "Patient", "contained": [{"resourceType": "Organization", "id": "o"}]}
    assert found == {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": inner}]}


def test_a_prefix_a_schema_location_comments_and_instructions_change_nothing() -> None:
    found = parse(
        '<?xml version="1.0"?><!-- a --><?b c?><f:Patient xmlns:f="http://hl7.org/fhir"'
        ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="http://hl7.org/fhir p.xsd">\n'
        '<!-- <active value="false"/> --><f:active value="true"/><?d e?></f:Patient><!-- z -->'
    )
    assert found == {"resourceType": "Patient", "active": True}


@pytest.mark.parametrize(
    "div",
    [
        f"<div {XHTML}>a</div>",
        f"<div {XHTML}/>",
        f"<div {XHTML}  class='x'>a<br></br><br/> &#160;&gt; > <!-- </div> <div> --></div>",
        f"<div {XHTML}><div><div>é</div></div><![CDATA[</div>]]><divx xmlns=''/></div>",
        f"<div {XHTML} title=\"a/&gt;b\" lang='</'>x</div >".replace("</'", "&lt;/'"),
        '<h:div xmlns:h="http://www.w3.org/1999/xhtml"><h:div>a</h:div></h:div>',
        f"<div {XHTML}>a\r\nb\tc</div>",
    ],
)
def test_a_narrative_keeps_every_character(div: str) -> None:
    second = f"<div {XHTML}>second</div>"
    found = patient(
        f'<!-- <div> --><text><status value="empty"/>{div}</text>'
        f"<contained><Patient><text>{second}</text></Patient></contained>"
    )
    assert found["text"]["div"] == div
    assert found["contained"][0]["text"]["div"] == second


def test_a_narrative_that_leans_on_outer_namespaces_is_made_whole() -> None:
    found = parse(
        '<f:Patient xmlns:f="http://hl7.org/fhir" xmlns="http://www.w3.org/1999/xhtml" xmlns:z="urn:z">'
        "<f:text><div>a<br/></div></f:text></f:Patient>"
    )
    assert found["text"]["div"] == f"<div {XHTML}>a<br/></div>"


@pytest.mark.parametrize("inner", ["<h:div>a<h:b/></h:div>", f'<div {XHTML} z:a="1">a</div>'])
def test_a_narrative_takes_along_the_prefixes_it_uses(inner: str) -> None:
    spaces = 'xmlns:h="http://www.w3.org/1999/xhtml" xmlns:z="urn:z"'
    found = parse(f'<Patient xmlns="http://hl7.org/fhir" {spaces}><text>{inner}</text></Patient>')
    prefix = "h" if inner.startswith("<h:") else "z"
    assert etree.fromstring(found["text"]["div"]).tag == "{http://www.w3.org/1999/xhtml}div"
    assert [each for each in ("xmlns:h", "xmlns:z", "hl7.org") if each in found["text"]["div"]] == [f"xmlns:{prefix}"]


_PIECES = st.sampled_from(
    (
        "<!-- </div> -->",
        "<![CDATA[</div><div>]]>",
        "<?div <div> ?>",
        "<div>",
        "</div>",
        "<div/>",
        "<div \n a='/>'/>",
        "<h:div b=\"'/>'\"></h:div >",
        "<divan>x</divan>",
        "a > b",
        "<p title='a/'>é</p>",
    )
)


@settings(deadline=None)
@given(st.lists(st.lists(_PIECES, max_size=8), min_size=1, max_size=3))
def test_narratives_are_told_apart_whatever_they_hold(narratives: list[list[str]]) -> None:
    divs = []
    for pieces in narratives:
        opened = kept = ""
        for piece in pieces:
            if piece != "</div>" or opened:
                kept += piece
                opened = opened + "/" if piece == "<div>" else opened[1:] if piece == "</div>" else opened
        divs.append(f'<div {XHTML} xmlns:h="http://www.w3.org/1999/xhtml">{kept}{"</div>" * len(opened)}</div>')
    found = patient("".join(f"<contained><Patient><text>{div}</text></Patient></contained>" for div in divs))
    assert [each["text"]["div"] for each in found["contained"]] == divs


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("declared", [True, False])
def test_utf_8_and_utf_16_are_read(encoding: str, declared: bool) -> None:
    name = "UTF-16" if "16" in encoding else "UTF-8"
    text = f'<?xml version="1.0" encoding="{name}" standalone="yes"?>' if declared else ""
    text += (
        f'<Patient xmlns="http://hl7.org/fhir"><text><div {XHTML}>ü€😀</div></text><language value="é😀"/></Patient>'
    )
    text = text.replace(f"<text><div {XHTML}>ü€😀</div></text><language", "<language")
    mark = {"utf-16-le": b"\xff\xfe", "utf-16-be": b"\xfe\xff"}.get(encoding, b"")
    assert parse(mark + text.encode(encoding))["language"] == "é😀"


@pytest.mark.parametrize(
    ("inner", "word"),
    [
        ("<nam/>", r"Patient\.nam: Patient has no element 'nam'; did you mean 'name'"),
        ("<name><familly value='x'/></name>", r"Patient\.name\.familly: .* did you mean 'family'"),
        ("<name/><name><x/></name>", r"Patient\.name\[0\]: is empty"),
        ("<name><text value='a'/></name><name><x/></name>", r"Patient\.name\[1\]\.x: HumanName has no element"),
        ("<deceased value='true'/>", "the name says the type: deceasedBoolean, deceasedDateTime"),
        ("<deceasedBoolean value='true'/><deceasedDateTime value='2020'/>", "exclude each other"),
        ("<active value='true'/><active value='true'/>", "takes one 'active'"),
        ("<name><text value='a'/></name><active value='true'/>", "'active' must come before 'name'"),
        (
            "<name><text value='a'/></name><active value='true'/><name><text value='a'/></name>",
            "'active' must come before 'name'",
        ),
        ("<active value='yes'/>", r"Patient\.active: 'yes' is not a value of type boolean"),
        ("<active value=''/>", "the attribute value is empty"),
        ("<active/>", "neither a value nor extensions"),
        ("<active value='true'>x</active>", "the text 'x' does not belong"),
        ("x", "the text 'x' does not belong"),
        ("<active value='true'/>x", "the text 'x' does not belong"),
        ("<active value='true' x='1'/>", "the attribute 'x' is not known"),
        ("<active value='true' xml:id='a'/>", "write the attribute as id"),
        ("<name value='x'/>", "takes no value"),
        ("<name xml:lang='fr'><text value='a'/></name>", "lang' is not known"),
        ("<extension><url value='u'/></extension>", "'url' is an attribute of Extension"),
        ("<extension url=''/>", "the attribute url is empty"),
        ("<active xmlns='' value='true'/>", "in no namespace: declare xmlns"),
        ("<active xmlns='urn:x' value='true'/>", "in the namespace 'urn:x'"),
        ("<xi:include xmlns:xi='http://www.w3.org/2001/XInclude' href='/etc/passwd'/>", "XInclude"),
        ("<text><div>a</div></text>", "must be XHTML"),
        ("<contained/>", r"Patient\.contained: holds one resource, not 0"),
        ("<contained><Patient/><Patient/></contained>", "holds one resource, not 2"),
        ("<contained id='x'><Patient/></contained>", "attribute 'id' is not known"),
        ("<contained><Nothing/></contained>", "'Nothing' is not a resource type"),
        ("<contained><Patient><active value='1'/></Patient></contained>", r"Patient\.contained\.active"),
        ("<multipleBirthInteger value='1.0'/>", "not a value of type integer"),
        ("<multipleBirthInteger value='007'/>", "not a value of type integer"),
        (f"<multipleBirthInteger value='{'9' * 5000}'/>", "not a value of type integer"),
        ("<fhir_comments value='a'/>", "no element 'fhir_comments'"),
    ],
)
def test_what_is_not_fhir_xml_is_refused_with_its_place_line_and_remedy(inner: str, word: str) -> None:
    with pytest.raises(InvalidXml, match=word) as caught:
        patient("\n" + inner)
    assert "(line 2)" in caught.value.text or "(line 1)" in caught.value.text
    assert isinstance(caught.value, BadRequest)
    assert caught.value.issues[0].expression[0].startswith("Patient")


@pytest.mark.parametrize(
    "digits", ["1,5", ".5", "5.", "+1", "01", "NaN", "Infinity", "1e999999999999999999999", " 1", "١"]
)
def test_a_number_that_json_has_not_is_no_decimal(digits: str) -> None:
    with pytest.raises(InvalidXml, match="not a value of type decimal"):
        observation(f'<valueQuantity><value value="{digits}"/></valueQuantity>')


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ("", "empty"),
        ("  \n", "empty"),
        ("<Patient/>", "in no namespace"),
        ('<Patient xmlns="urn:x"/>', "in the namespace 'urn:x'"),
        ('<patient xmlns="http://hl7.org/fhir"/>', "'patient' is not a resource type"),
        ('<Resource xmlns="http://hl7.org/fhir"/>', "'Resource' is not a resource type"),
        ('<HumanName xmlns="http://hl7.org/fhir"/>', "'HumanName' is not a resource type"),
        ('<Patient xmlns="http://hl7.org/fhir" id="a"/>', "the id of a resource is an element"),
        ('<Patient xmlns="http://hl7.org/fhir" value="a"/>', "takes no value"),
        ('<Patient xmlns="http://hl7.org/fhir" x="a"/>', "'x' is not known"),
        ('<Patient xmlns="http://hl7.org/fhir">', "Not well-formed"),
        ('<Patient xmlns="http://hl7.org/fhir"/>x', "Not well-formed"),
        ('<Patient xmlns="http://hl7.org/fhir"/><Patient/>', "Not well-formed"),
        ('<Patient xmlns="http://hl7.org/fhir"><x:y/></Patient>', "Not well-formed.*prefix"),
        ('<Patient xmlns="http://hl7.org/fhir"><active value="true" value="true"/></Patient>', "Not well-formed"),
        ('<Patient xmlns="http://hl7.org/fhir"><language value="&nbsp;"/></Patient>', "only &lt;"),
        ('<Patient xmlns="http://hl7.org/fhir"><language value="&#1;"/></Patient>', "Not well-formed"),
        ('{"resourceType": "Patient"}', "Not well-formed"),
    ],
)
def test_a_document_that_is_no_resource_is_refused(body: str, word: str) -> None:
    with pytest.raises(InvalidXml, match=word):
        parse(body)


def test_an_empty_resource_is_for_validation_to_judge() -> None:
    assert patient("") == {"resourceType": "Patient"}
