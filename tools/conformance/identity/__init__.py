"""French health identities (INS): what a Patient must be like, whose number it is, how he is found by it."""

from __future__ import annotations

from typing import Final

from tools.conformance.identity.finding import FINDING
from tools.conformance.identity.numbers import NUMBERS
from tools.conformance.identity.profiles import PROFILES

SCRIPTS: Final = (*PROFILES, *NUMBERS, *FINDING)
