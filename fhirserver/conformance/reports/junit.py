"""JUnit's XML, as build servers read it: a suite a script, a case a test."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from lxml import etree

from fhirserver.conformance import result

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fhirserver.conformance.result import ScriptResult, Test

_CONTROL: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


def junit(results: Sequence[ScriptResult], base: str) -> bytes:
    """One `testsuites` of all scripts."""
    root = etree.Element("testsuites", name=f"conformance of {base}")
    for each in results:
        cases = [each.setup, *each.tests] if each.setup and each.setup.failed else each.tests
        suite = etree.SubElement(
            root,
            "testsuite",
            name=f"{each.suite}/{each.name}",
            tests=str(len(cases)),
            failures=str(sum(test is not None and test.verdict == result.FAIL for test in cases)),
            errors=str(sum(test is not None and test.verdict == result.ERROR for test in cases)),
            skipped=str(sum(test is not None and test.verdict == result.SKIP for test in cases)),
            time=f"{each.seconds:.3f}",
            timestamp=each.at.isoformat(timespec="seconds"),
        )
        for test in cases:
            if test is not None:
                _case(suite, each, test)
        if each.skipped:
            case = etree.SubElement(suite, "testcase", classname=each.suite, name=each.name)
            etree.SubElement(case, "skipped", message=_plain(each.skipped))
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)


def _case(suite: etree._Element, of: ScriptResult, test: Test) -> None:
    case = etree.SubElement(suite, "testcase", classname=f"{of.suite}.{of.name}", name=_plain(test.name))
    if test.verdict == result.SKIP:
        etree.SubElement(case, "skipped")
    for step in test.steps:
        if step.verdict in (result.FAIL, result.ERROR):
            kind = "failure" if step.verdict == result.FAIL else "error"
            etree.SubElement(case, kind, message=_plain(f"{step.label}: {step.text}"), type=step.kind)


def _plain(text: str) -> str:
    """The text without what XML cannot hold."""
    return _CONTROL.sub("�", text)
