"""Parameters resources, made of plain values (https://hl7.org/fhir/R4/parameters.html)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

Part = dict[str, Any]


def parameter(name: str, type: str, value: Any) -> Part:
    """One parameter: `type` is that of `value[x]`, such as `String`."""
    return {"name": name, f"value{type}": value}


def group(name: str, parts: Iterable[Part]) -> Part:
    """A parameter of parts."""
    return {"name": name, "part": list(parts)}


def parameters(parts: Iterable[Part]) -> Part:
    return {"resourceType": "Parameters", "parameter": list(parts)}


def coding(system: str | None, code: str, display: str | None = None, version: str | None = None) -> dict[str, str]:
    """A Coding without what is not known."""
    given = {"system": system, "version": version, "code": code, "display": display}
    return {name: value for name, value in given.items() if value}
