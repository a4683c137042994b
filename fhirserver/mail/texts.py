"""Text messages: handed to a gateway by POST of `{"to": "+33…", "text": "…"}`, with a bearer token if one is set."""

from __future__ import annotations

import re
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from fhirserver import jsontext
from fhirserver.mail.smtp import Undelivered
from fhirserver.settings import SettingsError

if TYPE_CHECKING:
    from fhirserver.settings import Settings

SECONDS: Final = 10.0
_NUMBER: Final = re.compile(r"\+[1-9][0-9]{6,14}")


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None


class TextGateway(NamedTuple):
    """Where text messages go; the operator's own choice, so any address is taken."""

    url: str
    token: str = ""
    seconds: float = SECONDS

    def send(self, to: str, text: str) -> None:
        """Returns when the gateway has taken the message (2xx). Raises Undelivered."""
        headers = {"Content-Type": "application/json", "User-Agent": "fhirserver"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        body = jsontext.dump({"to": to, "text": text})
        request = urllib.request.Request(self.url, body, headers, method="POST")  # noqa: S310 - checked in settings
        try:
            with urllib.request.build_opener(_NoRedirects).open(request, timeout=self.seconds):
                return
        except urllib.error.HTTPError as error:
            error.close()
            raise Undelivered(f"The text message gateway refuses ({error.code}).") from None
        except OSError as error:
            raise Undelivered(f"The text message gateway cannot be reached ({type(error).__name__}).") from None


def phone_number(typed: str) -> str | None:
    """A number as E.164 (`06 12 34 56 78` is French); None for what is none."""
    plain = re.sub(r"[\s.()-]", "", typed)
    if re.fullmatch(r"0[1-9][0-9]{8}", plain):
        plain = "+33" + plain[1:]
    if plain.startswith("00"):
        plain = "+" + plain[2:]
    return plain if _NUMBER.fullmatch(plain) else None


def gateway_of(settings: Settings) -> TextGateway | None:
    """The gateway that the settings name, None when they name none. Raises SettingsError."""
    if not settings.sms_url:
        return None
    token = ""
    if settings.sms_token_file:
        try:
            token = Path(settings.sms_token_file).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise SettingsError(f"sms_token_file: cannot be read: {error.strerror}.") from None
    return TextGateway(settings.sms_url, token)
