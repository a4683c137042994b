"""Documents, as PDSm exchanges them: ITI-65 and ITI-105 in, ITI-66, ITI-67 and ITI-68 out, and changes of metadata."""

from __future__ import annotations

from typing import Final

from tools.conformance.documents.changing import CHANGING
from tools.conformance.documents.finding import FINDING
from tools.conformance.documents.providing import PROVIDING

SCRIPTS: Final = (*PROVIDING, *FINDING, *CHANGING)
