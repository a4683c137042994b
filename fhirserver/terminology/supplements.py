"""Code system supplements: designations that another publisher adds to a code system.

They count for the value sets that name them by the extension `valueset-supplement`, and for no other
(https://hl7.org/fhir/R4/codesystem.html#supplements).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

EXTENSION: Final = "http://hl7.org/fhir/StructureDefinition/valueset-supplement"


class Supplement:
    """The designations of a supplement by code, its displays among them; `system` is what it adds to."""

    def __init__(self, resource: Mapping[str, Any]) -> None:
        self.system: str = str(resource.get("supplements", "")).partition("|")[0]
        self.designations: dict[str, list[Mapping[str, Any]]] = {}
        language = resource.get("language")
        waiting = list(resource.get("concept", ()))
        while waiting:
            concept = waiting.pop()
            added = list(concept.get("designation", ()))
            if "display" in concept:
                shown = {"value": concept["display"]}
                added.insert(0, {"language": language, **shown} if language else shown)
            self.designations[concept["code"]] = added
            waiting += concept.get("concept", ())


def named(value_set: Mapping[str, Any]) -> list[str]:
    """The canonicals of the supplements that a value set names."""
    extensions = [*value_set.get("extension", ()), *(value_set.get("compose") or {}).get("extension", ())]
    return [each["valueCanonical"] for each in extensions if each.get("url") == EXTENSION and "valueCanonical" in each]
