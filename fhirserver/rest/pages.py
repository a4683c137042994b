"""Page links: opaque, sealed, bound to the requester, and judged again on each use."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson
from cryptography.fernet import Fernet, InvalidToken

from fhirserver.errors import BadRequest

if TYPE_CHECKING:
    from fhirserver.access import Requester

PARAMETER: Final = "_page"


class PageKey(NamedTuple):
    """Where a page begins: the request's own parameters, and the position after which it goes on."""

    target: str
    params: tuple[tuple[str, str], ...]
    after: tuple[Any, ...]


class PageSeal:
    """Seals page keys with the server's own secret: a link tells nothing and cannot be made or changed outside."""

    def __init__(self, secret: bytes) -> None:
        self._fernet = Fernet(secret)

    def seal(self, page: PageKey, requester: Requester) -> str:
        content = [page.target, page.params, [_tagged(each) for each in page.after], _bond(requester)]
        return self._fernet.encrypt(orjson.dumps(content)).decode().rstrip("=")

    def open(self, text: str, target: str, requester: Requester) -> PageKey:
        """The page key. Raises BadRequest when the link is not ours, not for this path, or another requester's."""
        try:
            padded = text + "=" * (-len(text) % 4)
            sealed, params, after, bond = orjson.loads(self._fernet.decrypt(padded.encode("ascii", "replace")))
        except (InvalidToken, ValueError):
            raise _foreign() from None
        if sealed != target or bond != _bond(requester):
            raise _foreign()
        return PageKey(target, tuple((name, value) for name, value in params), tuple(_untagged(each) for each in after))


def _foreign() -> BadRequest:
    return BadRequest("This page link was not given to you for this search; start the search again.")


def _bond(requester: Requester) -> list[Any]:
    return [requester.kind, requester.id, requester.patient, requester.organization, requester.client]


def _tagged(value: Any) -> Any:
    if isinstance(value, datetime):
        return {"at": int(value.timestamp() * 1000)}
    if isinstance(value, Decimal) or type(value).__name__ == "Decimal128":
        return {"decimal": str(value)}
    return value


def _untagged(value: Any) -> Any:
    if isinstance(value, dict):
        return datetime.fromtimestamp(value["at"] / 1000, UTC) if "at" in value else Decimal(value["decimal"])
    return value
