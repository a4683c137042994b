"""The interactions offered for every type, by their codes in the CapabilityStatement, but for `NOT_OFFERED`."""

from __future__ import annotations

from typing import Final

RESOURCE_INTERACTIONS: Final = (
    "read",
    "vread",
    "update",
    "patch",
    "delete",
    "history-instance",
    "history-type",
    "create",
    "search-type",
)
NOT_OFFERED: Final = frozenset({
    ("DocumentReference", "delete"), ("AuditEvent", "update"), ("AuditEvent", "patch"), ("AuditEvent", "delete"),
})  # fmt: skip
"""A document is never deleted over REST (`rest.documents.changes`), and what was recorded stays as it was."""
SYSTEM_INTERACTIONS: Final = ("transaction", "batch", "history-system", "search-system")
