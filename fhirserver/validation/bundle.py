"""Bundles: the entries as a small world of their own (https://hl7.org/fhir/R4/bundle.html)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fhirserver.validation import references

if TYPE_CHECKING:
    from fhirserver.validation.context import At, Context


REQUESTS: Final = ("batch", "transaction", "history")
RESPONSES: Final = ("batch-response", "transaction-response", "history")


class Entries:
    """The resources of a Bundle by `fullUrl`, and by `Type/id` for those that go by no server's URL."""

    def __init__(self, bundle: dict[str, Any]) -> None:
        self._by_url: dict[str, dict[str, Any]] = {}
        self._by_id: dict[str, dict[str, Any]] = {}
        entries = bundle.get("entry")
        for entry in entries if isinstance(entries, list) else ():
            resource = entry.get("resource") if isinstance(entry, dict) else None
            if not isinstance(resource, dict):
                continue
            url = entry.get("fullUrl")
            if isinstance(url, str):
                self._by_url.setdefault(url, resource)
            self._by_id.setdefault(f"{resource.get('resourceType')}/{resource.get('id')}", resource)

    def find(self, reference: str, base: str | None) -> dict[str, Any] | None:
        """The resource a reference in the entry with `fullUrl` `base` leads to, if it is in this Bundle."""
        url = reference.partition("#")[0].partition("/_history/")[0]
        found = self._by_url.get(url)
        if found is not None or ":" in url:
            return found
        home = references.split(base) if base else None
        if home is not None and home[0] is not None:
            found = self._by_url.get(f"{home[0]}/{url}")
        return found if found is not None else self._by_id.get(url)


def check(bundle: dict[str, Any], at: At, ctx: Context) -> None:
    """The invariants bdl-1 to bdl-12, and that a `fullUrl` agrees with the id of its resource."""
    kind = bundle.get("type")
    entries = [entry for entry in _list(bundle.get("entry")) if isinstance(entry, dict)]
    _check_whole(bundle, kind, entries, at, ctx)
    for index, entry in enumerate(entries):
        here = (at, "entry", index, "Bundle.entry")
        url = entry.get("fullUrl")
        if isinstance(url, str):
            if "/_history/" in url:
                ctx.invariant("bdl-8", here)
            _check_identity(url, entry.get("resource"), here, ctx)
        if not entry.keys() & {"resource", "request", "response"}:
            ctx.invariant("bdl-5", here)
    if kind != "history" and _repeats(entries):
        ctx.invariant("bdl-7", at)


def _check_whole(bundle: dict[str, Any], kind: object, entries: list[dict[str, Any]], at: At, ctx: Context) -> None:
    """What the type of the Bundle asks of all of it."""
    if "total" in bundle and kind not in ("searchset", "history"):
        ctx.invariant("bdl-1", at)
    if kind != "searchset" and any("search" in entry for entry in entries):
        ctx.invariant("bdl-2", at)
    if any(("request" in entry) != (kind in REQUESTS) for entry in entries):
        ctx.invariant("bdl-3", at)
    if any(("response" in entry) != (kind in RESPONSES) for entry in entries):
        ctx.invariant("bdl-4", at)
    first = entries[0].get("resource") if entries else None
    found = first.get("resourceType") if isinstance(first, dict) else None
    if kind == "document":
        identifier = bundle.get("identifier")
        if not (isinstance(identifier, dict) and "system" in identifier and "value" in identifier):
            ctx.invariant("bdl-9", at)
        if "timestamp" not in bundle:
            ctx.invariant("bdl-10", at)
        if entries and found != "Composition":
            ctx.invariant("bdl-11", at)
    elif kind == "message" and entries and found != "MessageHeader":
        ctx.invariant("bdl-12", at)


def _check_identity(url: str, resource: object, at: At, ctx: Context) -> None:
    """A `fullUrl` on a server ends in the type and id of its resource."""
    if not isinstance(resource, dict) or "id" not in resource:
        return
    home = references.split(url)
    if home is not None and home[0] is not None and url.startswith("http"):
        if home[1] == resource.get("resourceType") and home[2] != resource["id"]:
            ctx.report("full-url", at, "fullUrl", url=url, id=resource["id"])
    elif ":" not in url:
        ctx.report("full-url-absolute", at, "fullUrl", url=url)


def _repeats(entries: list[dict[str, Any]]) -> bool:
    seen: set[tuple[str, object]] = set()
    for entry in entries:
        url = entry.get("fullUrl")
        if not isinstance(url, str):
            continue
        resource = entry.get("resource")
        meta = resource.get("meta") if isinstance(resource, dict) else None
        version = meta.get("versionId") if isinstance(meta, dict) else None
        key = (url, version if isinstance(version, str) else None)
        if key in seen:
            return True
        seen.add(key)
    return False


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
