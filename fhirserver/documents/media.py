"""What bytes are, by what they begin with, whatever their sender says."""

from __future__ import annotations

from typing import Final

TEXT: Final = "text/plain; charset=utf-8"
_SIGNS: Final = (
    (b"%PDF-", "application/pdf"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
)


def signed(data: bytes) -> str | None:
    """The media type that the first bytes tell: PDF, PNG or JPEG."""
    return next((media for sign, media in _SIGNS if data.startswith(sign)), None)


def media_of(data: bytes) -> str | None:
    """The media type of a PDF, PNG, JPEG or text (UTF-8) that a person or a professional sends; None for what is not
    taken."""
    if media := signed(data):
        return media
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None
    plain = all(each.isprintable() or each in "\r\n\t\f\ufeff" for each in text)
    return TEXT if text.strip() and plain else None
