"""The page of a document: what it shows, and what never gets there."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fhirserver.documents.cda.rendering import render
from fhirserver.errors import InvalidXml
from tests.documents.corpus import corpus

HOSTILE = (
    '<script xmlns="urn:hl7-org:v3">alert(1)</script>',
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    '<linkHtml href="javascript:alert(1)">x</linkHtml>',
    '<linkHtml href=" JaVaScRiPt:alert(1)">x</linkHtml>',
    '<linkHtml href="data:text/html,&lt;script&gt;alert(1)&lt;/script&gt;">x</linkHtml>',
    '<content onclick="alert(1)" style="background:url(http://192.0.2.1/x)">x</content>',
    '<h:iframe xmlns:h="http://www.w3.org/1999/xhtml" src="http://192.0.2.1/"/>',
    '<h:img xmlns:h="http://www.w3.org/1999/xhtml" src="x" onerror="alert(1)"/>',
    '<renderMultiMedia referencedObject="&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;"/>',
    '<table><tbody><tr><td colspan="&quot; onmouseover=&quot;alert(1)">x</td></tr></tbody></table>',
    "<!-- --><style>body{background:url(http://192.0.2.1/x)}</style>",
    "]]&gt;&lt;/div&gt;&lt;/body&gt;&lt;script&gt;alert(1)&lt;/script&gt;",
)
_tag = re.compile(r"<[^>]*>")


def with_text(inner: str) -> bytes:
    data = corpus()["divers"].decode()
    start = data.index("<text>") + len("<text>")
    return (data[:start] + inner + data[start:]).encode()


def body(page: bytes) -> str:
    return page.decode().partition("<body>")[2]


def test_a_letter_shows_its_header_and_its_narrative() -> None:
    page = render(corpus()["ldl-ses"]).decode()
    for words in ("Lettre de liaison", "ANNE RENARD", "15/03/1979", "Féminin", "ODILE BLANCHET", "Problèmes",
                  "<td>Urticaire</td>", "<b>Revoir</b>", "<ol", "Conseils", "Repos."):  # fmt: skip
        assert words in page
    assert '<html lang="fr-FR">' in page


def test_english_labels() -> None:
    assert "Kept by" in render(corpus()["ldl-ses"], language="en").decode()


def test_an_image_of_the_document_is_shown_in_its_place() -> None:
    assert '<img src="data:image/png;base64,' in render(corpus()["img-cr"]).decode()


def test_an_image_that_is_asked_for_many_times_is_shown_once() -> None:
    data = corpus()["img-cr"]
    name = re.search(rb'referencedObject="([^"]+)"', data)
    assert name is not None
    page = render(data.replace(name[0], b'referencedObject="' + b" ".join([name[1]] * 500) + b'"')).decode()
    assert page.count("<img") == 1


def test_a_text_is_shown_and_a_file_is_named() -> None:
    assert "Pansement refait ce jour." in render(corpus()["l1-texte"]).decode()
    assert "application/pdf" in render(corpus()["l1-compte-rendu"]).decode()


@pytest.mark.parametrize("name", sorted(corpus()))
def test_every_document_has_a_page(name: str) -> None:
    page = render(corpus()[name])
    assert page.startswith(b"<!DOCTYPE html>")
    assert b"<h1>" in page


@pytest.mark.parametrize("inner", HOSTILE)
def test_nothing_active_and_nothing_from_elsewhere_gets_into_the_page(inner: str) -> None:
    shown = body(render(with_text(inner)))
    tags = " ".join(_tag.findall(shown)).lower()
    assert "<script" not in tags
    assert "<style" not in tags
    assert "<iframe" not in tags
    assert "onclick" not in tags
    assert "onerror" not in tags
    assert "onmouseover" not in tags
    assert "javascript:" not in tags
    assert "192.0.2.1" not in tags


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet=st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=60))
def test_any_words_are_shown_as_words(words: str) -> None:
    escaped = words.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    shown = body(render(with_text(f"<paragraph>{escaped}</paragraph>")))
    assert "<script" not in shown.lower()
    tags = {tag.strip("</>").split()[0].lower() for tag in _tag.findall(shown)}
    assert tags <= {
        "header",
        "h1",
        "dl",
        "dt",
        "dd",
        "section",
        "h2",
        "h3",
        "div",
        "p",
        "b",
        "a",
        "ol",
        "li",
        "body",
        "html",
        "span",
    }


def test_what_is_no_cda_is_refused() -> None:
    with pytest.raises(InvalidXml):
        render(b"<html/>")
