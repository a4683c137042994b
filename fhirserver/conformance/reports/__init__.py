"""The results of a campaign as files: for humans, for build servers, for FHIR."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fhirserver.conformance.reports.html import html
from fhirserver.conformance.reports.junit import junit
from fhirserver.conformance.reports.plain import plain
from fhirserver.conformance.reports.testreport import bundle

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fhirserver.conformance.result import ScriptResult

REPORTS: Final[dict[str, Callable[[Sequence[ScriptResult], str], bytes]]] = {
    "html": html,
    "junit": junit,
    "json": plain,
    "testreport": bundle,
}
"""By name: a function of the results and the base of the server that was tested, which gives the file's bytes."""
