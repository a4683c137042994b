from __future__ import annotations

from tests.database import database_name, embedded_uri

__all__ = ["database_name", "embedded_uri"]
