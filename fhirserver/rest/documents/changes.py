"""What a DocumentReference may become: never deleted, and changed in its metadata only (PDSm, flows 03 and 04; TD3.3).

A document is replaced by another one that names it (`relatesTo`), or set aside by its status.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fhirserver.access import DOCUMENT as DOCUMENT
from fhirserver.access.acl import MASKED
from fhirserver.errors import MethodNotAllowed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ARCHIVED: Final = "https://interop.esante.gouv.fr/ig/fhir/pdsm/StructureDefinition/pdsm-ext-is-archived"
CHANGEABLE: Final = frozenset({"status", "securityLabel"})
_KEPT_DELETED: Final = "A document is not deleted: set its status to entered-in-error, or replace it by another one."


def require_deletable(type: str) -> None:
    """Raises MethodNotAllowed for documents, whether there is one or not."""
    if type == DOCUMENT:
        raise MethodNotAllowed(_KEPT_DELETED, headers={"Allow": "GET, HEAD, PUT, PATCH"})


def keep_masked(document: dict[str, Any], before: Mapping[str, Any]) -> None:
    """Gives a document the masks of the one whose place it takes: they are the person's to take off (R.1111-49)."""
    held = document.get("securityLabel") or []
    masks = [
        label
        for label in before.get("securityLabel") or []
        if any(coding.get("code") in MASKED for coding in label.get("coding") or []) and label not in held
    ]
    if masks:
        document["securityLabel"] = [*held, *masks]


def require_metadata(
    before: Mapping[str, Any], after: Mapping[str, Any], *, also: frozenset[str] = frozenset()
) -> None:
    """Raises MethodNotAllowed, naming the element, when more of a document changes than may; `also` may too."""
    if after.get("resourceType") != DOCUMENT:
        return
    changed = sorted(set(_changed(before, after)) - CHANGEABLE - also)
    if changed:
        raise MethodNotAllowed(
            f"Of a document only status, securityLabel and isArchived are changed, not {', '.join(changed)}: "
            "replace it by another one that names it in relatesTo.",
            expression=f"{DOCUMENT}.{changed[0]}",
            headers={"Allow": "GET, HEAD, PUT, PATCH"},
        )


def _changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    for name in {*before, *after}:
        old, new = before.get(name), after.get(name)
        if name == "extension":
            old, new = _others(old), _others(new)
        if name == "meta":
            old, new = _said(old), _said(new)
        if old != new:
            yield name.removeprefix("_")


def _others(extensions: Any) -> list[Any]:
    """All extensions but isArchived."""
    found = extensions if isinstance(extensions, list) else []
    return [each for each in found if not (isinstance(each, dict) and each.get("url") == ARCHIVED)]


def _said(meta: Any) -> dict[str, Any]:
    """What the client says in `meta`; the rest is the server's."""
    found = meta if isinstance(meta, dict) else {}
    return {name: value for name, value in found.items() if name not in ("versionId", "lastUpdated")}
