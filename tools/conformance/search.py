"""Searching (search.html)."""

from __future__ import annotations

from typing import Any, Final

SCRIPTS: Final[tuple[dict[str, Any], ...]] = ()
