"""Which handler reads what: templateIds of sections and entries, and element names for whatever has none known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fhirserver.documents.cda import actors, biology, clinical, sections
from fhirserver.documents.cda.context import Handler, SectionHandler, Tables

if TYPE_CHECKING:
    from collections.abc import Mapping

ENTRIES: Final[Mapping[str, Handler]] = {**clinical.ENTRIES, **biology.ENTRIES}
"""By templateId root; of several that an element has, the one that stands last here counts."""

SECTIONS: Final[Mapping[str, SectionHandler]] = {**biology.SECTIONS}

CLASSES: Final[Mapping[str, Handler]] = clinical.CLASSES

TABLES: Final = Tables(
    entries=ENTRIES, sections=SECTIONS, classes=CLASSES, section=sections.section, scope=actors.scope
)
