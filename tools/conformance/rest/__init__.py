"""The RESTful API of R4 (http.html): what every server of R4 that offers an interaction does."""

from __future__ import annotations

from typing import Final

from tools.conformance.rest import bundles, changing, reading, writing

SCRIPTS: Final = (*reading.SCRIPTS, *writing.SCRIPTS, *changing.SCRIPTS, *bundles.SCRIPTS)
