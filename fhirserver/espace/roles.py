"""What requesters are called in the tables of the space."""

from __future__ import annotations

from typing import Final

ROLES: Final = {
    "practitioner": "professional",
    "system": "organization",
    "patient": "holder",
    "representative": "representative",
}
"""By kind of requester."""
