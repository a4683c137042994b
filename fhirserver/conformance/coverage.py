"""Which tests check which requirement, as a page in Markdown."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from fhirserver.conformance.script import requirements as named

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from fhirserver.conformance.requirements import Requirement
    from fhirserver.conformance.script import Script

Covering = dict[str, dict[str, list[str]]]
"""By requirement, by script (`suite/name` of its file): the names of the tests."""
_MARKS: Final = re.compile(r"([\\`*_\[\]<>|~$#])")
_HEAD: Final = """# What the tests cover

Written by `fhirserver conformance coverage`, from the table of requirements (`conformance/requirements.csv`) and the
scripts that ship: which test of which script checks what. How they are run is told [on another page](conformance.md).
"""


def covering(scripts: Iterable[Script]) -> Covering:
    """What the scripts check."""
    found: Covering = {}
    for script in scripts:
        place = f"{script.suite}/{script.file.stem}"
        for test in script.resource.get("test", ()):
            for each in named(test):
                found.setdefault(each, {}).setdefault(place, []).append(str(test.get("name", "")))
    return found


def page(requirements: Mapping[str, Requirement], scripts: Iterable[Script]) -> str:
    """A table for each family of requirements (the first word of their ids), in the order of the table."""
    given = list(scripts)
    found = covering(given)
    tests = sum(len(each.resource.get("test", ())) for each in given)
    tested = sum(each in found for each in requirements)
    lines = [
        _HEAD,
        f"{len(requirements)} requirements, {tested} of them tested, by {tests} tests in {len(given)} scripts.",
    ]
    family = ""
    for each in requirements.values():
        if (own := each.id.partition("-")[0]) != family:
            family = own
            lines += ["", f"## {family}", "", "| requirement | what | tests |", "|---|---|---|"]
        lines.append(_row(each, found.get(each.id, {})))
    return "\n".join([*lines, ""])


def _row(requirement: Requirement, tests: Mapping[str, list[str]]) -> str:
    what = f"{_plain(requirement.text)} ({_plain(requirement.source)})"
    cells = (f"[{requirement.id}]({requirement.url}) {requirement.level}", what, "<br>".join(_tests(tests)))
    return f"| {' | '.join(cells)} |"


def _tests(tests: Mapping[str, list[str]]) -> Iterator[str]:
    if not tests:
        yield "not tested"
    for place, names in sorted(tests.items()):
        yield f"`{place}`: {_plain('; '.join(names))}"


def _plain(text: str) -> str:
    """Text that Markdown shows as it stands."""
    return _MARKS.sub(r"\\\1", text)
