"""SMART App Launch and OAuth, as far as no browser is needed: what a person ticks on a screen is left out."""

from __future__ import annotations

from typing import Final

from tools.conformance.smart.backend import BACKEND
from tools.conformance.smart.discovery import DISCOVERY
from tools.conformance.smart.endpoints import ENDPOINTS
from tools.conformance.smart.registration import REGISTRATION

SCRIPTS: Final = (*DISCOVERY, *ENDPOINTS, *REGISTRATION, *BACKEND)
