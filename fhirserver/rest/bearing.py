"""References from one Patient to another: what a resource says when its record is merged into another one."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from fhirserver.rest.compartment import in_record

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fhirserver.rest.services import Services
    from fhirserver.search import Index

Path = tuple[str | int, ...]


class Bearing:
    """From `source` to `target` and back; a reference to a version of the source becomes one to the target."""

    def __init__(self, services: Services, source: str, target: str) -> None:
        self._services, self._source, self._target = services, source, target

    def forth(self, resource: dict[str, Any]) -> dict[str, Any]:
        """With references to the target in place of those to the source."""
        resource = copy.deepcopy(resource)
        for _, reference in references(resource):
            if self._leads(reference["reference"], self._source):
                reference["reference"] = f"Patient/{self._target}"
        return resource

    def back(self, resource: dict[str, Any], before: dict[str, Any] | None) -> dict[str, Any]:
        """As they were `before` the merge where there were any; others that came since are to the source."""
        resource = copy.deepcopy(resource)
        texts = {path: each["reference"] for path, each in references(before)} if before is not None else {}
        for path, reference in references(resource):
            if not self._leads(reference["reference"], self._target):
                continue
            known = texts.get(path, "")
            if self._leads(known, self._source):
                reference["reference"] = known
            elif not self._leads(known, self._target):
                reference["reference"] = f"Patient/{self._source}"
        return resource

    def index(self, resource: dict[str, Any], pat: str | None) -> Index:
        """The search entries in the record of `pat`."""
        return in_record(self._services.indexer, resource, pat)

    def _leads(self, text: str, patient: str) -> bool:
        found = text.removeprefix(self._services.base + "/").partition("/_history/")[0]
        return found == f"Patient/{patient}"


def references(value: Any, path: Path = ()) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Every Reference with a literal reference, and where it stands."""
    if isinstance(value, dict):
        if isinstance(value.get("reference"), str):
            yield path, value
        for name, each in _members(value):
            yield from references(each, (*path, name))
    elif isinstance(value, list):
        for place, each in enumerate(value):
            yield from references(each, (*path, place))


def _members(value: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    return ((name, each) for name, each in value.items() if isinstance(each, dict | list))
