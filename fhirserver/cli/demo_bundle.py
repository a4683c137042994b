"""What the Bundles of the demo are made of."""

from __future__ import annotations

from typing import Any


def entry(resource: dict[str, Any], url: str | None = None) -> dict[str, Any]:
    """An entry of a transaction that creates the resource; `url`: by what the others refer to it."""
    named: dict[str, Any] = {"fullUrl": url} if url else {}
    return {**named, "resource": resource, "request": {"method": "POST", "url": resource["resourceType"]}}
