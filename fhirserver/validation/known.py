"""Values that were found sound are not looked at again: a record says the same few thousand codes over and over."""

from __future__ import annotations

import marshal
from typing import TYPE_CHECKING, Any, Final

from fhirserver.validation.context import MAX_ISSUES

if TYPE_CHECKING:
    from collections.abc import Callable

    from fhirserver.validation.context import At, Context

    Check = Callable[[Any, At, Context], None]

HELD: Final = 4096
"""Values remembered of a type; then all are forgotten."""
LONGEST: Final = 1024
"""Bytes of a value that is remembered."""
_PLAIN: Final = 2
"""The version of `marshal` that writes equal values alike: later ones also write who shares them."""


def recalled(check: Check) -> Check:
    """The check, without those values, equal to the last member in type and order, of which it had nothing to say.

    For checks of what a value holds, not of where it stands. What an extension may say depends on where it stands, so
    values with extensions are always looked at.
    """
    sound: set[bytes] = set()

    def recalling(value: Any, at: At, ctx: Context) -> None:
        try:
            key = marshal.dumps(value, _PLAIN)
        except ValueError:  # decimals, and what is nested beyond measure
            return check(value, at, ctx)
        if key in sound:
            return None
        before = len(ctx.issues)
        check(value, at, ctx)
        if before == len(ctx.issues) < MAX_ISSUES and len(key) <= LONGEST and b"xtension" not in key:
            if len(sound) >= HELD:
                sound.clear()
            sound.add(key)
        return None

    return recalling
