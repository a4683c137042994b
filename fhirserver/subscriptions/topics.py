"""The topics that one subscribes to (Subscriptions R5 Backport 1.1.0): R4 has no resource for them."""

from __future__ import annotations

from typing import Final, NamedTuple

from fhirserver.access.private import MESSAGE

BASE: Final = "urn:fhirserver:topic:"


class Topic(NamedTuple):
    """`triggers`: resource type and search criteria; a version that is stored and meets one of them is an event."""

    url: str
    title: str
    triggers: tuple[tuple[str, str], ...]


TOPICS: Final = {
    each.url: each
    for each in (
        Topic(f"{BASE}documents", "Documents that were deposited or changed", (("DocumentReference", ""),)),
        Topic(
            f"{BASE}results",
            "Results of laboratories",
            (("DiagnosticReport", ""), ("Observation", "category=laboratory")),
        ),
        Topic(f"{BASE}appointments", "Appointments that were booked, moved or cancelled", (("Appointment", ""),)),
        Topic(
            f"{BASE}messages",
            "Messages between a person and professionals",
            (("Communication", f"_tag={MESSAGE['system']}|{MESSAGE['code']}"),),
        ),
        Topic(f"{BASE}consents", "What a person permits and denies", (("Consent", ""),)),
    )
}
"""By canonical."""
