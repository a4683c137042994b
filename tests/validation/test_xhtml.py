"""Narratives: what may be in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.validation.samples import errors, patient

if TYPE_CHECKING:
    from fhirserver.validation import Validator


def narrative(inside: str) -> str:
    return f'<div xmlns="http://www.w3.org/1999/xhtml">{inside}</div>'


def judged(core: Validator, div: str) -> list[str | None]:
    resource = patient()
    resource["text"]["div"] = div
    return [rule for rule, _ in errors(core.check(resource))]


@pytest.mark.parametrize(
    "inside",
    [
        "text",
        "<p>a<br/>b</p><hr/>",
        '<table class="grid"><tr><td colspan="2" style="x">a</td></tr></table>',
        '<a href="http://a.org">a</a><a name="b"> </a>',
        '<img src="#i" alt="i"/>',
        "a&nbsp;b &eacute; &lt; &#160;",
        '<p xml:lang="fr" lang="fr" dir="ltr">b</p>',
        "<!-- a comment --><p>a</p>",
        "<ul><li>a</li></ul><dl><dt>a</dt><dd>b</dd></dl><h1>c</h1><pre>d</pre><blockquote><p>e</p></blockquote>",
    ],
)
def test_formatting_is_allowed(core: Validator, inside: str) -> None:
    assert judged(core, narrative(inside)) == []


@pytest.mark.parametrize(
    ("inside", "rule"),
    [
        ("<script>alert(1)</script>", "txt-1"),
        ("<form><input/></form>", "txt-1"),
        ("<iframe src='x'/>", "txt-1"),
        ("<object data='x'/>", "txt-1"),
        ("<style>p {}</style>", "txt-1"),
        ("<p onmouseover='x'>a</p>", "txt-1"),
        ("<a href='javascript:x'>a</a>", "txt-1"),
        ("<svg xmlns='http://www.w3.org/2000/svg'>a</svg>", "txt-1"),
        ("<?php echo ?>a", "txt-1"),
        ("<!-- only this -->", "txt-2"),
        ("&#160;", "txt-2"),
        ("&unknown;", "xhtml-syntax"),
        ("a & b", "xhtml-syntax"),
        ("<b>a", "xhtml-syntax"),
    ],
)
def test_what_acts_or_shows_nothing_is_refused(core: Validator, inside: str, rule: str) -> None:
    assert judged(core, narrative(inside)) == [rule]


@pytest.mark.parametrize(
    ("div", "rule"),
    [
        ('<!DOCTYPE div [<!ENTITY a "b">]><div xmlns="http://www.w3.org/1999/xhtml">&a;</div>', "txt-1"),
        ("<div>a</div>", "xhtml-root"),
        ('<p xmlns="http://www.w3.org/1999/xhtml">a</p>', "xhtml-root"),
        ("", "xhtml-syntax"),
        ("plain", "xhtml-syntax"),
        ('<?xml version="1.0" encoding="UTF-8"?>' + narrative("a"), "xhtml-syntax"),
    ],
)
def test_the_narrative_is_one_div(core: Validator, div: str, rule: str) -> None:
    assert judged(core, div) == [rule]
