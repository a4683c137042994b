from __future__ import annotations

import pytest

from fhirserver import fhirpath
from fhirserver.fhirpath.narrative import is_safe

OPEN = '<div xmlns="http://www.w3.org/1999/xhtml">'


@pytest.mark.parametrize(
    "inner",
    [
        "text",
        "<p>Élodie</p>",
        '<table class="grid" border="1"><thead><tr><th colspan="2">a</th></tr></thead></table>',
        '<a href="https://example.org">x</a>',
        '<img src="#x" alt="y"/>',
        '<p style="color: red" xml:lang="fr" title="t">x</p>',
        "<!-- remark --><h1>x</h1>",
        "&#160;<br/>x&amp;y",
    ],
)
def test_formatting_links_and_images_are_allowed(inner: str) -> None:
    assert is_safe(f"{OPEN}{inner}</div>")


@pytest.mark.parametrize(
    "div",
    [
        f"{OPEN}</div>",
        f"{OPEN} \n </div>",
        f"{OPEN}<script>x</script></div>",
        f"{OPEN}<iframe>x</iframe></div>",
        f"{OPEN}<form>x</form></div>",
        f'{OPEN}<p onclick="x">x</p></div>',
        f'{OPEN}<a href=" java\nscript:x">x</a></div>',
        f'{OPEN}<img src="data:text/html,x"/></div>',
        f"{OPEN}<?php x ?>x</div>",
        f'{OPEN}<x:p xmlns:x="urn:x">x</x:p></div>',
        f"{OPEN}<p>x</div>",
        "<div>x</div>",
        '<p xmlns="http://www.w3.org/1999/xhtml">x</p>',
        "text",
        "",
        f'<!DOCTYPE div [<!ENTITY e "x">]>{OPEN}&e;</div>',
        '<?xml version="1.0" encoding="x"?><div/>',
    ],
)
def test_anything_else_is_refused(div: str) -> None:
    assert not is_safe(div)


def test_html_checks_asks_this() -> None:
    rule = fhirpath.compile("htmlChecks()", "xhtml")
    assert rule.test(f"{OPEN}x</div>") is True
    assert rule.test(f"{OPEN}</div>") is False
    assert fhirpath.compile("text.`div`.htmlChecks()", "Patient").test({"resourceType": "Patient"}) is None
