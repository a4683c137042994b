"""The PACS of this server: studies are looked up by QIDO-RS, images come rendered by WADO-RS (DICOM PS3.18).

No other address is spoken to than the one in the settings, whatever an ImagingStudy says of endpoints. Paths are made
of UIDs alone. An answer has a limit of time and bytes, no redirect is followed, and an image is one only if its bytes
are. Two questions at a time and process: who waits for a slow PACS does not keep others from being served.
"""

from __future__ import annotations

import base64
import re
import ssl
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson

from fhirserver.auth.fetching import Fetcher, Unfetchable
from fhirserver.documents.media import signed
from fhirserver.imaging.study import MOST, Image, is_uid
from fhirserver.settings import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from fhirserver.auth.fetching import Response
    from fhirserver.settings import Settings

SECONDS: Final = 8.0
MOST_BYTES: Final = 16 << 20
"""Of one image, and of one list."""
SIZES: Final = {"full": "", "thumbnail": "?viewport=192,192"}
"""Sizes of images, with what asks for them (PS3.18, 8.3.5.1.3)."""
_AT_ONCE: Final = 2
_WAIT: Final = 1.0
_AWAY: Final = 10.0
"""Seconds for which a PACS that did not answer is not asked again."""
_KEPT: Final = 60.0
"""Seconds for which it is known whose a study is, and what is in it."""
_MOST_KEPT: Final = 500
_IMAGES: Final = ("image/jpeg", "image/png")
_JSON: Final = ("application/dicom+json", "application/json")
_PATIENT_ID: Final = "00100020"
_SERIES: Final = "0020000E"
_INSTANCE: Final = "00080018"
_NUMBER: Final = "00200013"
_SERIES_NUMBER: Final = "00200011"


class Unreachable(Exception):
    """The PACS does not answer, or not as it should. The text names no address."""


class Absent(Exception):
    """The PACS answers, and has no such thing."""


class Picture(NamedTuple):
    media: str
    data: bytes


class Pacs:
    """A DICOMweb server at `url`; may be used by several threads. `authorization`: the header's value, if any."""

    def __init__(
        self, url: str, fetcher: Fetcher, authorization: str = "", clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._url, self._fetcher, self._clock = url.rstrip("/"), fetcher, clock
        self._headers = {"Authorization": authorization} if authorization else {}
        self._turns = threading.BoundedSemaphore(_AT_ONCE)
        self._away = 0.0
        self._kept: dict[tuple[str, str], tuple[float, Any]] = {}

    def patients(self, study: str) -> frozenset[str]:
        """The Patient IDs that the PACS knows a study under. Raises Unreachable, Absent."""
        found: frozenset[str] = self._known("patients", study, lambda: self._patients(study))
        return found

    def images(self, study: str) -> list[Image]:
        """The instances of a study by the numbers of series and instances. Raises Unreachable, Absent."""
        found: list[Image] = self._known("images", study, lambda: self._images(study))
        return found

    def rendered(self, study: str, image: Image, size: str) -> Picture:
        """An image as a browser shows it, JPEG or PNG; `size` is a key of `SIZES`. Raises Unreachable, Absent."""
        path = f"/studies/{study}/series/{image.series}/instances/{image.instance}/rendered{SIZES[size]}"
        answer = self._asked(path, "image/jpeg")  # what every server renders; some refuse a list
        if answer.media not in _IMAGES or signed(answer.body) != answer.media:
            raise Unreachable("the PACS answers with something else than an image")
        return Picture(answer.media, answer.body)

    def _patients(self, study: str) -> frozenset[str]:
        told = self._listed(f"/studies?StudyInstanceUID={study}&limit=2")
        return frozenset(text for each in told if (text := _text(each, _PATIENT_ID)))

    def _images(self, study: str) -> list[Image]:
        told = self._listed(f"/studies/{study}/instances?includefield={_SERIES_NUMBER}&limit={MOST}")
        rows = [
            (_integer(each, _SERIES_NUMBER), series, _integer(each, _NUMBER), instance)
            for each in told
            if is_uid(series := _text(each, _SERIES)) and is_uid(instance := _text(each, _INSTANCE))
        ]
        return [Image(series, instance) for _, series, _, instance in sorted(rows)][:MOST]

    def _listed(self, path: str) -> list[Mapping[str, Any]]:
        answer = self._asked(path, "application/dicom+json")
        if not answer.body and answer.status == 204:
            raise Absent("no such study")
        try:
            found = orjson.loads(answer.body) if answer.media in _JSON else None
        except ValueError:
            found = None
        if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
            raise Unreachable("the PACS answers with something else than a list of DICOM attributes")
        if not found:
            raise Absent("no such study")
        return found

    def _asked(self, path: str, accept: str) -> Response:
        with self._turn():
            try:
                answer = self._fetcher.ask("GET", self._url + path, {"Accept": accept, **self._headers})
            except Unfetchable as error:
                self._away = self._clock() + _AWAY
                raise Unreachable(str(error)) from None
        if answer.status in (404, 410):
            raise Absent("the PACS has no such image")
        if answer.status not in (200, 204):
            raise Unreachable(f"the PACS answers with status {answer.status}")
        return answer

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if self._clock() < self._away:
            raise Unreachable("the PACS did not answer a moment ago")
        if not self._turns.acquire(timeout=_WAIT):
            raise Unreachable("the PACS is slow")
        try:
            yield
        finally:
            self._turns.release()

    def _known(self, what: str, study: str, ask: Callable[[], Any]) -> Any:
        now, key = self._clock(), (what, study)
        until, value = self._kept.get(key, (0.0, None))
        if until <= now:
            value = ask()
            if len(self._kept) >= _MOST_KEPT:
                self._kept.clear()
            self._kept[key] = (now + _KEPT, value)
        return value


def of_settings(settings: Settings) -> Pacs | None:
    """The PACS that the settings name, None for none. Raises SettingsError for files that cannot be used."""
    if not settings.dicomweb_url:
        return None
    fetcher = Fetcher(production=False, seconds=SECONDS, most=MOST_BYTES, context=_context(settings.dicomweb_ca_file))
    return Pacs(settings.dicomweb_url, fetcher, _authorization(settings.dicomweb_credentials_file))


def _authorization(file: str) -> str:
    """`bearer TOKEN` or `basic USER:PASSWORD`, as a header has it."""
    if not file:
        return ""
    try:
        scheme, _, secret = Path(file).read_text(encoding="utf-8").strip().partition(" ")
    except (OSError, UnicodeDecodeError):
        raise SettingsError(f"dicomweb_credentials_file: {file} cannot be read.") from None
    if scheme.lower() == "basic" and ":" in secret:
        return f"Basic {base64.b64encode(secret.encode()).decode()}"
    if scheme.lower() == "bearer" and re.fullmatch(r"[!-~]+", secret):
        return f"Bearer {secret}"
    raise SettingsError("dicomweb_credentials_file: one line, `bearer TOKEN` or `basic USER:PASSWORD`.")


def _context(file: str) -> ssl.SSLContext | None:
    if not file:
        return None
    try:
        return ssl.create_default_context(cafile=file)
    except (OSError, ssl.SSLError):
        raise SettingsError(f"dicomweb_ca_file: {file} holds no certificates (PEM).") from None


def _values(attributes: Mapping[str, Any], tag: str) -> list[Any]:
    found = attributes.get(tag)
    values = found.get("Value") if isinstance(found, dict) else None
    return values if isinstance(values, list) else []


def _text(attributes: Mapping[str, Any], tag: str) -> str:
    """The first value of an attribute (PS3.18, annex F), empty for none."""
    return next((str(each).strip() for each in _values(attributes, tag) if isinstance(each, str)), "")


def _integer(attributes: Mapping[str, Any], tag: str) -> int:
    """The first value as a number, 0 for none: some servers write it as text."""
    first = next(iter(_values(attributes, tag)), 0)
    return int(first) if str(first).isascii() and str(first).isdigit() and len(str(first)) < 10 else 0
