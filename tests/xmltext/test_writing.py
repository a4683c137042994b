from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fhirserver import xmltext
from fhirserver.errors import NotAcceptable
from fhirserver.spec import Definitions

CORE = Definitions.core()
XHTML = 'xmlns="http://www.w3.org/1999/xhtml"'


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["id", "url", "value", "extension", "given", "resourceType"]), inner, max_size=3
        )
    ),
    max_leaves=8,
)
_MEMBERS = st.sampled_from(
    ["id", "text", "contained", "extension", "active", "_active", "name", "_birthDate", "gender"]
)


@settings(deadline=None)
@given(st.dictionaries(_MEMBERS, _JSON, max_size=3))
def test_any_json_is_written_or_refused_and_nothing_else(members: dict[str, Any]) -> None:
    try:
        text = dump(members | {"resourceType": "Patient"})
    except NotAcceptable:
        return
    assert text.startswith("<?xml")


def dump(value: Any) -> str:
    return xmltext.dump(value, CORE).decode()


def patient(**members: Any) -> str:
    """What stands within the Patient."""
    text = dump(members | {"resourceType": "Patient"})
    start = '<?xml version="1.0" encoding="UTF-8"?><Patient xmlns="http://hl7.org/fhir">'
    assert text.startswith(start)
    assert text.endswith("</Patient>")
    return text[len(start) : -len("</Patient>")]


def test_elements_have_the_order_of_the_definition_whatever_the_order_of_members() -> None:
    assert patient(name=[{"given": ["B"], "family": "A"}], active=True, id="1") == (
        '<id value="1"/><active value="true"/><name><family value="A"/><given value="B"/></name>'
    )


def test_ids_and_urls_are_attributes_and_extensions_stand_within() -> None:
    assert patient(
        extension=[{"valueDecimal": Decimal("1.0"), "url": "u", "id": "e"}],
        birthDate="2020",
        _birthDate={"id": "b", "extension": [{"url": "v", "valueBoolean": False}]},
        _active={"id": "a"},
    ) == (
        '<extension id="e" url="u"><valueDecimal value="1.0"/></extension><active id="a"/>'
        '<birthDate id="b" value="2020"><extension url="v"><valueBoolean value="false"/></extension></birthDate>'
    )


def test_an_empty_resource_is_one_tag() -> None:
    assert dump({"resourceType": "Patient"}).endswith('<Patient xmlns="http://hl7.org/fhir"/>')


def test_a_narrative_is_given_as_it_is() -> None:
    div = f"<div {XHTML} class='x'>a<br></br>&#160;<!-- c --> é</div>"
    assert patient(text={"div": div}) == f"<text>{div}</text>"


def test_a_narrative_gets_what_xml_asks_for() -> None:
    assert patient(text={"div": "<div class='a'>&eacute;&nbsp;&lt;</div>"}) == (
        f"<text><div {XHTML} class='a'>é\N{NO-BREAK SPACE}&lt;</div></text>"
    )


def test_pretty_puts_each_element_on_its_line_but_leaves_the_narrative() -> None:
    div = f"<div {XHTML}><p>a</p></div>"
    value = {"resourceType": "Patient", "text": {"div": div}, "contained": [{"resourceType": "Basic", "id": "</b"}]}
    assert xmltext.dump(value, CORE, pretty=True).decode() == (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<Patient xmlns="http://hl7.org/fhir">\n'
        "  <text>\n"
        f"    {div}\n"
        "  </text>\n"
        "  <contained>\n"
        "    <Basic>\n"
        '      <id value="&lt;/b"/>\n'
        "    </Basic>\n"
        "  </contained>\n"
        "</Patient>\n"
    )


@pytest.mark.parametrize(
    ("members", "word"),
    [
        ({"nom": 1}, "Patient has no member 'nom'"),
        ({"name": [{"familly": "x"}]}, r"Patient\.name cannot .*'familly'"),
        ({"fhir_comments": ["x"]}, "no member 'fhir_comments'"),
        ({"name": {"family": "x"}}, "an array was expected"),
        ({"name": [{"given": "x"}]}, r"Patient\.name\.given .* array was expected"),
        ({"name": [{"given": False}]}, "an array was expected"),
        ({"name": [{"_given": {}}]}, "an array was expected"),
        ({"_active": {}}, "an object with members was expected beside"),
        ({"name": ["x"]}, "an object with members was expected"),
        ({"name": [{}]}, "an object with members was expected"),
        ({"maritalStatus": [{"text": "x"}]}, "an array does not belong"),
        ({"active": [True]}, "a single value was expected"),
        ({"active": None}, "a single value was expected"),
        ({"active": 1.5}, "a single value was expected"),
        ({"active": Decimal("NaN")}, "a single value was expected"),
        ({"birthDate": ""}, "an empty text"),
        ({"_birthDate": "x"}, "expected beside"),
        ({"contained": [{"id": "x"}]}, "a resource of FHIR R4 was expected"),
        ({"contained": ["x"]}, "a resource of FHIR R4 was expected"),
        ({"contained": [{"resourceType": "Nothing"}]}, "a resource of FHIR R4 was expected"),
        ({"text": {"div": 5}}, "a text was expected"),
    ],
)
def test_a_value_that_is_not_fhir_is_refused_with_its_place(members: dict[str, Any], word: str) -> None:
    with pytest.raises(NotAcceptable, match=word):
        patient(**members)
