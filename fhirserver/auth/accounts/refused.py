"""Why a step of a login, or around an account, is not taken."""

from __future__ import annotations

from datetime import timedelta


class Refused(Exception):
    """A step that is not taken. `why`: `wrong`, `wait` (for `wait`), `over` (begin again), `unsent`."""

    def __init__(self, why: str, wait: timedelta = timedelta(0), account: str = "") -> None:
        super().__init__(why)
        self.why, self.wait, self.account = why, wait, account
