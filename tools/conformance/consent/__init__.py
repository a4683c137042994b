"""Who sees what: probes with two tokens or more, each for a way by which what is hidden could be told."""

from __future__ import annotations

from typing import Final

from tools.conformance.consent.choices import CHOICES
from tools.conformance.consent.leaks import LEAKS
from tools.conformance.consent.people import PEOPLE
from tools.conformance.consent.writes import WRITES

SCRIPTS: Final = (*LEAKS, *WRITES, *CHOICES, *PEOPLE)
