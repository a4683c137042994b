"""The guides in force: definitions, validator and terminology, replaced together when a package is added or removed."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Final, NamedTuple

from fhirserver.spec import Definitions, installed
from fhirserver.terminology import Remote, Terminology
from fhirserver.validation import Validator
from fhirserver.validation.ins import Rules

if TYPE_CHECKING:
    from pathlib import Path

EVERY: Final = 1.0
"""Seconds between two looks at the folder."""
_log = logging.getLogger(__name__)


class Guide(NamedTuple):
    """What belongs together at one moment."""

    definitions: Definitions
    validator: Validator
    terminology: Terminology


class Guides:
    """R4, the French definitions, and what lies in the folder of added packages.

    Added packages come after the French definitions and before R4. Their search parameters are not in force by this,
    but when all that is stored is indexed by them (`jobs.shipped`).
    """

    def __init__(
        self,
        folder: Path | None,
        profile_set: str,
        definitions: Definitions | None = None,
        ins: Rules | None = None,
        terminology_server: str = "",
    ) -> None:
        self._folder = folder
        self._profile_set = profile_set
        self._ins = ins or Rules()
        self._remote = Remote(terminology_server) if terminology_server else None
        self._base = definitions or Definitions.french()
        self._lock = threading.Lock()
        self._next = time.monotonic() + EVERY
        self._stamp = installed.stamp(folder) if folder else ()
        self._current = self._made()

    @property
    def current(self) -> Guide:
        """The guides of now; looks at the folder once a second, while others go on with what there is."""
        if self._folder is not None and time.monotonic() >= self._next and self._lock.acquire(blocking=False):
            try:
                self._look(self._folder)
            finally:
                self._lock.release()
        return self._current

    def _look(self, folder: Path) -> None:
        self._next = time.monotonic() + EVERY
        stamp = installed.stamp(folder)
        if stamp != self._stamp:
            try:
                self._current = self._made()
            except Exception:
                _log.exception("the packages in %s cannot be read; those known before stay in force", folder)
            self._stamp = stamp

    def _made(self) -> Guide:
        added = installed.load(self._folder) if self._folder else []
        definitions = self._base
        if added or self._remote:
            *french, core = self._base.packages
            definitions = Definitions([*french, *added, core])
        terminology = Terminology(definitions, self._remote)
        if definitions is not self._base:
            definitions.judge = terminology.holds
        validator = Validator(definitions, profile_set=self._profile_set, ins=self._ins)
        return Guide(definitions, validator, terminology)
