"""Setting a second factor up: an address proves itself by a code that was sent there, an app by a code that it shows.

Kept between the steps by a token; `purpose` says of what the factor becomes part: a new account, or one that is there.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from fhirserver.auth.accounts import factors, secretly, throttle, tries
from fhirserver.auth.accounts.refused import Refused
from fhirserver.mail import Undelivered

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fhirserver.auth.accounts.post import Post
    from fhirserver.auth.accounts.secretly import Secrets
    from fhirserver.store import Register, Store

REGISTER: Final = "enrolments"
LASTS: Final = timedelta(minutes=30)
METHODS: Final = ("mail", "phone", "totp")
SUBJECT: Final = "Votre code de confirmation"
TEXT: Final = "{code} est votre code de confirmation pour votre espace de santé. Il vaut trente minutes."

Row = dict[str, Any]


class Enrolments:
    def __init__(self, store: Store, secrets: Secrets, post: Post) -> None:
        self._store, self._secrets, self._post = store, secrets, post
        self._throttle = throttle.Throttle(store)

    @property
    def methods(self) -> tuple[str, ...]:
        """What can be set up here without a script."""
        return (*self._post.channels, "totp")

    def begin(self, purpose: Mapping[str, Any], who: str) -> str:
        """A token for what is to be set up. `who`: whose messages these are, so that they are not too many."""
        token = secretly.token()
        row = {"purpose": dict(purpose), "who": who, "tries": 0, "until": datetime.now(UTC) + LASTS}
        self._rows.put(secretly.key(token), row)
        return token

    def find(self, token: str | None) -> Row:
        """What is kept: `purpose`, `method`, `address`. Raises Refused (`over`)."""
        row = self._rows.find(secretly.key(token), datetime.now(UTC)) if token else None
        if row is None:
            raise Refused("over")
        return row

    def choose(self, token: str | None, method: str, address: str = "", **purpose: Any) -> None:
        """What factor it is to be; sends the code. Raises Refused (`over`, `wait`, `unsent`)."""
        row = self.find(token)
        known = {**row["purpose"], **purpose}
        if method == "totp":
            change = {"seed": self._secrets.seal(factors.totp_seed()), "address": "", "code": ""}
        else:
            if wait := self._throttle.spend(throttle.MESSAGES, row["who"]):
                raise Refused("wait", wait)
            code = secretly.digits()
            change = {"seed": "", "address": address, "code": self._secrets.digest("enrolment", code)}
            try:
                self._post.send(method, address, SUBJECT, TEXT.format(code=code))
            except Undelivered:
                raise Refused("unsent") from None
        self._rows.set(row["_id"], {**change, "method": method, "purpose": known, "tries": 0})

    def drop(self, token: str | None) -> None:
        self._rows.drop(secretly.key(token or ""))

    def seed(self, token: str | None) -> str:
        """The seed of the app that is set up. Raises Refused."""
        sealed = self.find(token).get("seed")
        if not sealed:
            raise Refused("over")
        return self._secrets.unseal(sealed)

    def prove(self, token: str | None, typed: str) -> tuple[Row, dict[str, Any]]:
        """What was kept, and the fields of the account that the factor is; once. Raises Refused (`over`, `wrong`)."""
        row = tries.of(self._rows, token)
        code, fields = "".join(typed.split()), {}
        if row.get("method") == "totp":
            step = factors.totp_step(self._secrets.unseal(row["seed"]), code, 0)
            fields = {"totp": row["seed"], "step": step} if step is not None else {}
        elif row.get("code") and self._secrets.is_digest("enrolment", code, row["code"]):
            fields = {row["method"]: row["address"]}
        if not fields:
            raise Refused("wrong")
        if self._rows.take(row["_id"], datetime.now(UTC)) is None:
            raise Refused("over")
        return row, fields

    @property
    def _rows(self) -> Register:
        return self._store.register(REGISTER)
