"""A hook of mkdocs: the names that command blocks bear for the tests (```sh name) are not for readers."""

from __future__ import annotations

import re
from typing import Any, Final

_NAMED: Final = re.compile(r"^(```+[a-z]+) [^\n`]+$", re.MULTILINE)


def on_page_markdown(markdown: str, **_: Any) -> str:
    """The page as it is rendered."""
    return _NAMED.sub(r"\1", markdown)
