"""All that is written: the suites, one module each. What they check stands in `conformance/requirements.csv`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from tools.conformance import agenda, audit, cda, consent, documents, identity, rest, search, smart
from tools.conformance.building import FILES

if TYPE_CHECKING:
    from types import ModuleType

SUITES: Final[tuple[ModuleType, ...]] = (rest, search, consent, documents, cda, identity, smart, agenda, audit)
"""Each has `SCRIPTS` (TestScripts); its name is the suite's."""


def files() -> dict[str, bytes]:
    """Contents by the name below `conformance/`."""
    made: dict[str, bytes] = {}
    for suite in SUITES:
        name = suite.__name__.rpartition(".")[2]
        for each in suite.SCRIPTS:
            whole = {key: value for key, value in each.items() if key != FILES}
            made[f"{name}/{each['name'].removeprefix(name + '-')}.json"] = _text(whole)
            made |= {f"{name}/{file}": _text(content) for file, content in each.get(FILES, {}).items()}
    return made


def _text(content: object) -> bytes:
    if isinstance(content, str):
        return content.encode()
    return f"{json.dumps(content, indent=2, ensure_ascii=False)}\n".encode()
