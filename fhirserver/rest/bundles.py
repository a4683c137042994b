"""Bundles written around resources that are already JSON bytes (https://hl7.org/fhir/R4/bundle.html)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from fhirserver.clock import to_instant
from fhirserver.outcome import Issue, outcome
from fhirserver.rest.answer import etag

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fhirserver.store import Page, Stored


def searchset(base: str, page: Page, links: dict[str, str]) -> dict[str, Any]:
    """A searchset; each entry says why it is there (`search.mode`). An OperationOutcome tells what was left out."""
    entries = [_found(base, stored, "match") for stored in page.matches]
    entries += [_found(base, stored, "include") for stored in page.included]
    if page.truncated:
        entries.append({"resource": outcome(map(_truncated, page.truncated)), "search": {"mode": "outcome"}})
    return _bundle("searchset", entries, page.total, links)


def _found(base: str, stored: Stored, mode: str) -> dict[str, Any]:
    """What has no id is shown without an address."""
    address = {"fullUrl": f"{base}/{stored.type}/{stored.id}"} if stored.id else {}
    return {**address, "resource": orjson.Fragment(stored.body), "search": {"mode": mode}}


def _truncated(name: str) -> Issue:
    return Issue(
        "warning", "incomplete", f"{name} leads to more resources than a page holds: ask for a smaller _count."
    )


def history(base: str, versions: Sequence[Stored], total: int | None, links: dict[str, str]) -> dict[str, Any]:
    """A history, newest first; a deletion is an entry without a resource."""
    return _bundle("history", [_version(base, stored) for stored in versions], total, links)


def _version(base: str, stored: Stored) -> dict[str, Any]:
    method = "DELETE" if stored.deleted else "POST" if stored.version == 1 else "PUT"
    entry: dict[str, Any] = {"fullUrl": f"{base}/{stored.type}/{stored.id}"}
    if not stored.deleted:
        entry["resource"] = orjson.Fragment(stored.body)
    entry["request"] = {
        "method": method,
        "url": stored.type if method == "POST" else f"{stored.type}/{stored.id}",
    }
    entry["response"] = {
        "status": {"DELETE": "204", "POST": "201", "PUT": "200"}[method],
        "etag": etag(stored.version),
        "lastModified": instant(stored),
    }
    return entry


def instant(stored: Stored) -> str:
    """`lastUpdated` as a FHIR instant with milliseconds."""
    return to_instant(stored.last_updated)


def _bundle(kind: str, entries: list[Any], total: int | None, links: dict[str, str]) -> dict[str, Any]:
    bundle: dict[str, Any] = {"resourceType": "Bundle", "type": kind}
    if total is not None:
        bundle["total"] = total
    bundle["link"] = [{"relation": relation, "url": url} for relation, url in links.items()]
    if entries:
        bundle["entry"] = entries
    return bundle
