"""One thing that was looked at, and how it is."""

from __future__ import annotations

from typing import NamedTuple


class Finding(NamedTuple):
    """`level`: `ok`, `warning` or `error`; `subject`: what was looked at; `text`: how it is, and what to change."""

    level: str
    subject: str
    text: str


def ok(subject: str, text: str) -> Finding:
    return Finding("ok", subject, text)


def warning(subject: str, text: str) -> Finding:
    return Finding("warning", subject, text)


def error(subject: str, text: str) -> Finding:
    return Finding("error", subject, text)
