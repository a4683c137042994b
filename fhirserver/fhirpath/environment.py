"""What surrounds an evaluation: the caller's Env, and the Frame that one evaluation runs in."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from fhirserver.fhirpath.errors import FhirPathError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

STEPS: Final = 2_000_000
"""Items that one evaluation may go through before it is stopped: about a second's work."""

SECONDS: Final = 5.0
"""Time that one evaluation may take, looked at every few steps."""

_INTERVAL: Final = 64

MAX_TEXT: Final = 20_000_000
"""Characters that a text may grow to."""

_CHARACTERS: Final = 100


def _unreachable(_reference: str) -> dict[str, Any] | None:
    return None


def _unknown(_canonical: str, _value: Any) -> bool | None:
    return None


@dataclass(frozen=True, slots=True)
class Env:
    """What an expression may ask its caller for.

    `resolve(reference)` -> the resource or None. `member_of(value_set, code | Coding | CodeableConcept)` and
    `conforms_to(profile, resource)` -> None when it is not known. `variables`: name -> plain value or list of them,
    read by `%name`. `now`: an aware datetime, by default the clock's. `trace(name, items)` receives what trace() sees.
    """

    resolve: Callable[[str], dict[str, Any] | None] = _unreachable
    member_of: Callable[[str, Any], bool | None] = _unknown
    conforms_to: Callable[[str, Any], bool | None] = _unknown
    variables: Mapping[str, Any] = field(default_factory=dict)
    now: datetime | None = None
    trace: Callable[[str, list[Any]], None] | None = None
    steps: int = STEPS
    seconds: float = SECONDS


DEFAULT: Final = Env()


class Frame:
    """One evaluation: `resource`, `root` and `context` are items; `index` and `total` follow the innermost loop."""

    __slots__ = ("context", "env", "index", "left", "look", "memo", "moment", "resource", "root", "total", "until")

    def __init__(self, env: Env, context: Any, resource: Any, root: Any) -> None:
        self.env = env
        self.context = context
        self.resource = resource
        self.root = root
        self.index: int | None = None
        self.total: list[Any] = []
        self.left = env.steps
        self.look = env.steps - _INTERVAL
        self.until = 0.0
        self.memo: dict[Any, Any] = {}
        self.moment: datetime | None = None

    def spend(self, steps: int) -> None:
        """Count work done. Raises FhirPathError when it is more than an expression is worth."""
        self.left -= steps
        if self.left < self.look:
            self._look()

    def weigh(self, text: str) -> None:
        """Count the making of a text. Raises FhirPathError for one beyond measure, or when all are too much."""
        if len(text) > MAX_TEXT:
            raise FhirPathError("A text grows too long")
        self.spend(1 + len(text) // _CHARACTERS)

    def _look(self) -> None:
        now = time.monotonic()
        if not self.until:
            self.until = now + self.env.seconds
        if self.left < 0 or now > self.until:
            raise FhirPathError("The expression takes too many steps, or too long, on this resource")
        self.look = self.left - _INTERVAL

    def now(self) -> datetime:
        """One moment for the whole evaluation."""
        if self.moment is None:
            self.moment = self.env.now or datetime.now(UTC)
        return self.moment
