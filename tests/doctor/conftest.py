from __future__ import annotations

from tests.database import embedded_uri

__all__ = ["embedded_uri"]
