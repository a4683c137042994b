"""A forgotten password: a code by e-mail, and a second proof that is not the mailbox: an app's or a recovery code.

Whoever asks gets the same answer, whether there is such an account or not. The code that was sent last is good wherever
it was asked for, so that nobody is kept from his by those who ask in his name until no more are sent.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from fhirserver.auth.accounts import factors, secretly, throttle, tries
from fhirserver.auth.accounts.account import Account, folded
from fhirserver.auth.accounts.refused import Refused

if TYPE_CHECKING:
    from fhirserver.auth.accounts.account import Accounts
    from fhirserver.auth.accounts.post import Post
    from fhirserver.auth.accounts.secretly import Secrets
    from fhirserver.store import Register, Store

REGISTER: Final = "resets"
SENT: Final = "reset-codes"
LASTS: Final = timedelta(minutes=30)
SUBJECT: Final = "Votre nouveau mot de passe"
TEXT: Final = (
    "{code} est le code qui permet, avec un second justificatif, de choisir un nouveau mot de passe pour votre espace "
    "de santé. Il vaut trente minutes. Si vous n’avez rien demandé, ne faites rien."
)
CHANGED_SUBJECT: Final = "Votre mot de passe a changé"
CHANGED: Final = (
    "Le mot de passe de votre espace de santé vient d’être changé, et toutes vos sessions ont été fermées. "
    "Si ce n’est pas vous, choisissez-en un nouveau par « Mot de passe oublié » et prévenez-nous."
)


class Resets:
    def __init__(self, store: Store, accounts: Accounts, secrets: Secrets, post: Post) -> None:
        self._store, self._accounts, self._secrets, self._post = store, accounts, secrets, post
        self._throttle = throttle.Throttle(store)

    def begin(self, login: str, address: str) -> str:
        """A token for the next step, whatever the identifier; the code goes out aside. Raises Refused (`wait`)."""
        if wait := self._throttle.spend(throttle.PROOFS, address):
            raise Refused("wait", wait)
        account = self._accounts.named(folded(login))
        whom, token = account.id if account is not None else folded(login), secretly.token()
        self._send(account, whom)
        row = {"account": whom, "tries": 0, "until": datetime.now(UTC) + LASTS}
        self._rows.put(secretly.key(token), row)
        return token

    def check(self, token: str | None, code: str, second: str) -> Account:
        """The account when both codes are right; the second one is used up. Raises Refused (`over`, `wrong`)."""
        row, now = tries.of(self._rows, token), datetime.now(UTC)
        account, key = self._accounts.find(row["account"]), secretly.key(row["account"])
        sent = self._codes.find(key, now)
        right = self._secrets.is_digest("reset", secretly.read(code), sent["code"] if sent else "")
        if account is None or not right:
            raise Refused("wrong", account=account.id if account is not None else "")
        used = self._second(account, second)
        if used is None:
            raise Refused("wrong", account=account.id)
        if self._rows.take(row["_id"], now) is None or self._codes.take(key, now) is None:
            raise Refused("over")
        return used

    def _send(self, account: Account | None, whom: str) -> None:
        """Sends a code, which voids the one before, unless there were too many."""
        if self._throttle.spend(throttle.MESSAGES, "reset", whom):
            return
        code = secretly.words()
        known = self._secrets.digest("reset", secretly.read(code))
        self._codes.put(secretly.key(whom), {"code": known, "until": datetime.now(UTC) + LASTS})
        if account is not None and account.mail:
            self._post.send_aside("mail", account.mail, SUBJECT, TEXT.format(code=code))

    def _second(self, account: Account, typed: str) -> Account | None:
        plain = "".join(typed.split())
        if len(plain) != 6 or not plain.isdigit():
            return factors.use_recovery(self._accounts, self._secrets, account, typed)
        if wait := self._throttle.spend(throttle.SECOND, account.id):
            raise Refused("wait", wait)
        used = factors.use_totp(self._accounts, self._secrets, account, plain)
        if used is not None:
            self._throttle.forget(throttle.SECOND, account.id)
        return used

    @property
    def _rows(self) -> Register:
        return self._store.register(REGISTER)

    @property
    def _codes(self) -> Register:
        """The code that was sent last, by account or by what was typed for one."""
        return self._store.register(SENT)
