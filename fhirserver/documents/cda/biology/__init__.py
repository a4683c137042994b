"""Biology reports (CI-SIS CR-BIO 2024.01, on IHE XD-LAB): which handler takes which template.

Chapters become DiagnosticReports; results, batteries and isolates Observations; collections Specimens; images Media.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fhirserver.documents.cda.biology.report import chapter, copy_section, processing
from fhirserver.documents.cda.biology.results import observation, organizer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fhirserver.documents.cda.context import Handler, SectionHandler

ENTRIES: Final[Mapping[str, Handler]] = {
    "1.3.6.1.4.1.19376.1.3.1": processing,
    "1.2.250.1.213.1.1.3.21": processing,
    "1.3.6.1.4.1.19376.1.3.1.4": organizer,
    "1.2.250.1.213.1.1.3.78": organizer,
    "1.3.6.1.4.1.19376.1.3.1.5": organizer,
    "1.2.250.1.213.1.1.3.79": organizer,
    "1.3.6.1.4.1.19376.1.3.1.6": observation,
    "1.2.250.1.213.1.1.3.80": observation,
}

SECTIONS: Final[Mapping[str, SectionHandler]] = {
    "1.3.6.1.4.1.19376.1.3.3.2.1": chapter,
    "1.2.250.1.213.1.1.2.70": chapter,
    "1.3.6.1.4.1.19376.1.3.3.2.2": chapter,
    "1.2.250.1.213.1.1.2.71": chapter,
    "1.2.250.1.213.1.1.2.243": copy_section,
}
