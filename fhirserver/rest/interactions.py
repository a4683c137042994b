"""The interactions offered for every resource type, by their codes in the CapabilityStatement."""

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
SYSTEM_INTERACTIONS: Final = ("transaction", "batch", "history-system", "search-system")
