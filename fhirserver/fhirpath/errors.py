"""What goes wrong with an expression."""

from __future__ import annotations


class FhirPathError(ValueError):
    """An expression that cannot be read, or that demands what its input does not give.

    `position` is the offset in the expression's text (0-based) where that is known, else None.
    """

    def __init__(self, text: str, position: int | None = None) -> None:
        super().__init__(text if position is None else f"{text} (at position {position})")
        self.text = text
        self.position = position
