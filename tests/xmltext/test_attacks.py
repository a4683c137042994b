"""Documents made to harm: refused quickly, with nothing expanded, nothing fetched and nothing read."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fhirserver import jsontext, xmltext
from fhirserver.errors import InvalidXml, NotAcceptable
from fhirserver.spec import Definitions
from fhirserver.xmltext import source

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.no_cover

CORE = Definitions.core()
FHIR = 'xmlns="http://hl7.org/fhir"'
XHTML = 'xmlns="http://www.w3.org/1999/xhtml"'


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    """A place that nobody may knock at."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield server


def refused(body: str | bytes, word: str) -> None:
    began = time.process_time()
    with pytest.raises(InvalidXml, match=word) as caught:
        xmltext.parse(body.encode() if isinstance(body, str) else body, CORE)
    assert time.process_time() - began < 20
    assert "root:" not in caught.value.text


def test_entity_bombs_are_refused() -> None:
    levels = "".join(f'<!ENTITY a{n + 1} "{f"&a{n};" * 10}">' for n in range(9))
    for use in ("<language value='&a9;'/>", f"<text><div {XHTML}>&a9;</div></text>"):
        refused(f'<!DOCTYPE Patient [<!ENTITY a0 "ha">{levels}]><Patient {FHIR}>{use}</Patient>', "DOCTYPE")
    refused(
        f'<!DOCTYPE x [<!ENTITY a "{"a" * 100_000}">]><Patient {FHIR}><id value="{"&a;" * 10_000}"/></Patient>', "DOC"
    )


def test_external_entities_and_dtds_are_neither_read_nor_fetched(listening: socket.socket, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("root:x")
    port = listening.getsockname()[1]
    for system in (secret.as_uri(), f"http://127.0.0.1:{port}/x", "file:///etc/passwd"):
        refused(f'<!DOCTYPE P [<!ENTITY x SYSTEM "{system}">]><Patient {FHIR}><id value="&x;"/></Patient>', "DOCTYPE")
        refused(f'<!DOCTYPE P SYSTEM "{system}"><Patient {FHIR}/>', "DOCTYPE")
        refused(f'<!DOCTYPE P [<!ENTITY % x SYSTEM "{system}"> %x;]><Patient {FHIR}/>', "DOCTYPE")
        refused(
            f'<Patient {FHIR}><x:include xmlns:x="http://www.w3.org/2001/XInclude" href="{system}"/></Patient>', "XIn"
        )
    schema = f'xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:schemaLocation="a http://127.0.0.1:{port}/a.xsd"'
    sheet = f'<?xml-stylesheet href="http://127.0.0.1:{port}/"?>'
    assert xmltext.parse(f"{sheet}<Patient {FHIR} {schema}/>".encode(), CORE) == {"resourceType": "Patient"}
    with pytest.raises(BlockingIOError):
        listening.accept()


@pytest.mark.parametrize("before", ["", "\n", "<!-- a --> ", "<?a b?>", "<!-- <!DOCTYPE --><?c?>\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_dtd_is_found_wherever_it_may_stand(before: str, encoding: str) -> None:
    refused(f'{before}<!DOCTYPE Patient [<!ENTITY x "y">]><Patient {FHIR}/>'.encode(encoding), "DOCTYPE")


def test_a_dtd_that_is_only_spoken_of_does_no_harm() -> None:
    div = f"<div {XHTML}><!-- <!DOCTYPE a> --><![CDATA[<!DOCTYPE b>]]></div>"
    body = f"<!-- a --><Patient {FHIR}><text>{div}</text></Patient>"
    assert xmltext.parse(body.encode(), CORE)["text"]["div"] == div


@pytest.mark.parametrize(
    "body",
    [
        b'<?xml version="1.0" encoding="UTF-7"?>+ADwAIQ-DOCTYPE x+AD4APA-Patient/+AD4-',
        b'<?xml version="1.0" encoding="UTF-7"?><Patient xmlns="http://hl7.org/fhir"/>',
        b'<?xml version="1.0" encoding="EBCDIC-CP-FR"?><Patient xmlns="http://hl7.org/fhir"/>',
        b'<?xml version="1.0" encoding="ISO-8859-1"?><Patient xmlns="http://hl7.org/fhir"/>',
        b'<?xml version="1.0" encoding="UTF-16"?><Patient xmlns="http://hl7.org/fhir"/>',
        b'\xef\xbb\xbf<?xml version="1.0" encoding="UTF-16"?><Patient xmlns="http://hl7.org/fhir"/>',
        b"\xff\xfe" + '<?xml version="1.0" encoding="UTF-8"?><Patient/>'.encode("utf-16-le"),
        '<?xml version="1.0" encoding="UTF-16"?><Patient xmlns="http://hl7.org/fhir"/>'.encode("utf-16-le"),
        '<Patient xmlns="http://hl7.org/fhir"/>'.encode("utf-32"),
        '<Patient xmlns="http://hl7.org/fhir"/>'.encode("utf-16-be"),
        b"\xff\xfe\x00",
        b"\xff\xfe\x00\xd8",
        b'<?xml encoding="UTF-7"?><Patient xmlns="http://hl7.org/fhir"/>',
        b'<Patient xmlns="http://hl7.org/fhir"><language value="\xff"/></Patient>',
        b'<Patient xmlns="http://hl7.org/fhir"><language value="\x00"/></Patient>',
    ],
)
def test_no_encoding_is_guessed(body: bytes) -> None:
    refused(body, "UTF-8|UTF-16|well-formed")


def test_depth_is_bounded() -> None:
    for levels in (101, 3_000, 200_000):
        for name in ("extension", "div"):
            refused(f"<Patient {FHIR}>{f'<{name}>' * levels}{f'</{name}>' * levels}</Patient>", "levels|depth")
        refused(f"<Patient {FHIR}>" + "<extension>" * levels, "well-formed|levels")


def test_what_is_read_can_be_read_again_as_json() -> None:
    def nested(levels: int) -> bytes:
        inner = "<extension url='a'>" * levels + "</extension>" * levels
        return f"<Patient {FHIR}>{inner}</Patient>".encode()

    assert jsontext.parse(jsontext.dump(xmltext.parse(nested(49), CORE)))
    refused(nested(50), "levels deep as JSON")


def test_many_attributes_names_and_namespaces_are_bounded() -> None:
    many = " ".join(f'a{n}="1"' for n in range(100_000))
    refused(f"<Patient {FHIR} {many}/>", "more than 64 attributes")
    refused(f"<Patient {FHIR}><text><div {XHTML}><p {many}/></div></text></Patient>", "more than 64 attributes")
    spaces = " ".join(f'xmlns:n{n}="u{n}"' for n in range(2_000))
    refused(f"<Patient {FHIR} {spaces}><x/></Patient>", "no element 'x'")
    refused(f"<Patient {FHIR}>" + "".join(f"<a{n}/>" for n in range(100_000)) + "</Patient>", "no element 'a0'")


def test_size_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "MAX_BYTES", 1000)
    refused(f"<Patient {FHIR}><language value='{'a' * 1000}'/></Patient>", "larger than 1000 bytes")


def test_an_attachment_larger_than_ten_megabytes_is_taken() -> None:
    data = "QUJD" * 3_000_000
    body = f'<Binary {FHIR}><contentType value="text/plain"/><data value="{data}"/></Binary>'.encode()
    assert xmltext.parse(body, CORE)["data"] == data


@pytest.mark.parametrize(
    "text",
    ["<!--" * 50_000, "<![CDATA[" * 50_000, "<?a " * 50_000, "<div " * 50_000, "<div a='" * 50_000, "< div" * 50_000],
)
def test_no_unclosed_markup_costs_more_than_its_length(text: str) -> None:
    refused(text, "well-formed")
    refused(f"<Patient {FHIR}><text><div {XHTML}>{text}", "well-formed")


@pytest.mark.parametrize(
    "div",
    [
        f"<div {XHTML}>a</div></text><active value='false'/><text><div {XHTML}/>",
        "<div",
        "a",
        "",
        f"<?xml version='1.0'?><div {XHTML}>a</div>",
        f"<!DOCTYPE div><div {XHTML}>a</div>",
        f"<!DOCTYPE div [<!ENTITY a 'b'>]><div {XHTML}>&a;</div>",
        f"<p {XHTML}>a</p>",
        "<active value='true'/>",
        f"<div {FHIR}>a</div>",
        f"<div {XHTML}>{'<b>' * 200}{'</b>' * 200}</div>",
        f"<div {XHTML}>&unheardof;</div>",
        f"<div {XHTML}>&lt</div>",
    ],
)
def test_a_stored_narrative_cannot_break_out_of_its_element(div: str) -> None:
    with pytest.raises(NotAcceptable, match=r"Patient\.text\.div cannot be written as XML"):
        xmltext.dump({"resourceType": "Patient", "text": {"status": "generated", "div": div}}, CORE)


@pytest.mark.parametrize(
    "text", ['"/><active value="false"/>', "'><x/>", "]]>", "<!--", "&lt;", "&#0;", "&x;", "a\r\nb\tc "]
)
def test_a_text_is_never_markup(text: str) -> None:
    value = {"resourceType": "Patient", "extension": [{"id": text, "url": text, "valueString": text}]}
    assert xmltext.parse(xmltext.dump(value, CORE), CORE) == value


_SEED = (
    f'<?xml version="1.0" encoding="UTF-8"?><Patient {FHIR}><id value="1"/><text><status value="empty"/>'
    f'<div {XHTML}>a<div>&#160;<br/></div><!-- c --></div></text><contained><Basic><id value="b"/></Basic></contained>'
    '<extension id="e" url="u"><valueDecimal value="1.50"/></extension><active value="true"/>'
    '<name><given value="A"/><given id="g"/></name><multipleBirthInteger value="2"/></Patient>'
).encode()
_SCRAPS = st.sampled_from(
    (
        b"<",
        b">",
        b"/>",
        b"</",
        b"&",
        b'"',
        b"'",
        b" ",
        b"\0",
        b"\xff",
        b"<!--",
        b"<div>",
        b"</div>",
        b"<![CDATA[",
        b"]]>",
    )
) | st.binary(max_size=3)


@settings(deadline=None, max_examples=500)
@given(st.lists(st.tuples(st.integers(0, len(_SEED)), st.integers(0, 12), _SCRAPS), min_size=1, max_size=4))
def test_a_mangled_document_is_read_or_refused_and_nothing_else(cuts: list[tuple[int, int, bytes]]) -> None:
    body = _SEED
    for place, length, scrap in cuts:
        body = body[:place] + scrap + body[place + length :]
    try:
        value = xmltext.parse(body, CORE)
    except InvalidXml:
        return
    assert xmltext.parse(xmltext.dump(value, CORE), CORE) == value
