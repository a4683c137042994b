"""The trace: what is told of whom to whom (CSP R.1111-43, IHE BALP), and what other systems record (ITI-20, ITI-81)."""

from __future__ import annotations

from typing import Final

from tools.conformance.audit.repository import REPOSITORY
from tools.conformance.audit.tracing import TRACING

SCRIPTS: Final = (*TRACING, *REPOSITORY)
