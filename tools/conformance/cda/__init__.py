"""CDA documents of the CI-SIS in, biology reports (CR-BIO) too: what they become, whose they are, what is refused."""

from __future__ import annotations

from typing import Final

from tools.conformance.cda.identity import IDENTITY
from tools.conformance.cda.taking import TAKING
from tools.conformance.cda.wrong import WRONG

SCRIPTS: Final = (*TAKING, *IDENTITY, *WRONG)
