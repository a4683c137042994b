from __future__ import annotations

from tests.application import application, applications, embedded_uri

__all__ = ["application", "applications", "embedded_uri"]
