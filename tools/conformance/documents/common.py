"""What the scripts of this suite share: a hospital sends, the physician of the patient looks."""

from __future__ import annotations

from typing import Any, Final

from tools.conformance.building import Part, ask, says, script, status, variable
from tools.conformance.pdsm import RFC, unique

HOSPITAL, PHYSICIAN, OTHER, NOBODY, HOLDER = range(1, 6)
PATCH: Final = "application/json-patch+json"


def exchange(name: str, title: str, *tests: Part, fixtures: dict[str, Any], **more: Any) -> Part:
    """A script whose fixtures are sent by its tests or its setup."""
    held = {f"-{key}": each for key, each in fixtures.items()}
    roles = ("hospital", "physician", "laboratory", "anonymous", "patient")
    return script(f"documents-{name}", title, *tests, roles=roles, fixtures=held, auto=False, **more)


def counted(key: int, count: int, type: str = "DocumentReference") -> tuple[Part, Part, Part]:
    """How many have this uniqueId."""
    return (
        ask("search", type, f"?identifier={RFC}|{unique(key)}&_total=accurate"),
        status(200),
        says("Bundle.total", str(count)),
    )


def sent(source: str = "bundle", response: str = "sent") -> tuple[Part, Part]:
    """Provides a Bundle (ITI-65), which must be taken."""
    return ask("transaction", source=source, response=response), status(200)


def _place(name: str, entry: int, type: str) -> Part:
    location = f"Bundle.entry[{entry}].response.location"
    below = f".replaceMatches('/_history.*', '').replaceMatches('^.*{type}/', '{type}/')"
    return variable(name, "sent", location + below)


PLACES: Final = (_place("list", 0, "List"), _place("document", 1, "DocumentReference"), _place("binary", 2, "Binary"))
"""Where the entries of what was `sent` are stored, below the base."""
