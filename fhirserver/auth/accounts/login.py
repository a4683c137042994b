"""The two steps of a login: identifier and password, then a second factor. Their state is kept between the steps.

What fails is counted (`throttle`) where it comes from, so that nobody can lock another one out: a known device has a
budget of its own. An account that is being attacked is still open to its owner at any device: then the first step
always leads to the second, and what the password was worth is told with the second factor only.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fhirserver.auth.accounts import factors, secretly, throttle, tries
from fhirserver.auth.accounts.account import Account, folded
from fhirserver.auth.accounts.refused import Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fhirserver.auth.accounts.account import Accounts
    from fhirserver.auth.accounts.devices import Devices
    from fhirserver.auth.accounts.factors import Site
    from fhirserver.auth.accounts.passwords import Passwords
    from fhirserver.auth.accounts.post import Post
    from fhirserver.auth.accounts.secretly import Secrets
    from fhirserver.store import Register, Store

REGISTER: Final = "logins"
CHOICES: Final = "login-choices"
LASTS: Final = timedelta(minutes=10)
SUBJECT: Final = "Votre code de connexion"
TEXT: Final = (
    "{code} est votre code de connexion à votre espace de santé. Il vaut dix minutes et une seule fois. "
    "Ne le donnez à personne. Si vous n’avez rien demandé, quelqu’un connaît peut-être votre mot de passe : changez-le."
)


class Place(NamedTuple):
    """Where somebody tries: an address, and the cookie of a device that logged in before."""

    address: str
    device: str | None


class Pending(NamedTuple):
    """A login between its steps. `account`: None where the identifier or the password was wrong and that is not told;
    `veiled`: so it may be. `challenge`: of the passkey that is asked for."""

    key: str
    login: str
    account: str | None
    veiled: bool
    known: bool
    place: str
    onward: str
    challenge: str = ""


class Passed(NamedTuple):
    """Somebody logged in. `amr` as in RFC 8176; `known`: at a device that was known."""

    account: Account
    amr: tuple[str, ...]
    onward: str
    known: bool


class Logins:
    def __init__(
        self,
        store: Store,
        accounts: Accounts,
        passwords: Passwords,
        secrets: Secrets,
        devices: Devices,
        post: Post,
        site: Site,
    ) -> None:
        self._store, self._accounts, self._passwords, self._secrets = store, accounts, passwords, secrets
        self._devices, self._post, self._site = devices, post, site
        self._throttle = throttle.Throttle(store)

    def begin(self, login: str, password: str, place: Place, onward: str = "") -> str:
        """The first step; a token for the second. Raises Refused (`wrong`, `wait`)."""
        login = folded(login)
        account = self._accounts.named(login)
        device = self._devices.found(place.device, account.id if account is not None else "")
        known = device is not None
        self._spend(login, place, device)
        right = self._passwords.verify(password, account.password if account else None)
        veiled = not known and self._throttle.spent(throttle.ATTACK, login) >= throttle.ATTACK.free
        if not right and not known:
            self._throttle.spend(throttle.ATTACK, login)
        if not right and not veiled:
            raise Refused("wrong", account=account.id if account else "")
        if account is not None and right and self._passwords.is_stale(account.password):
            account = self._accounts.change(account, password=self._passwords.hash(password)) or account
        return self._pended(login, account if right else None, place, onward, device=device, veiled=veiled)

    def go_on(self, account: Account, place: Place, onward: str = "") -> str:
        """A token for the second step of who took the first one elsewhere, with one factor."""
        device = self._devices.found(place.device, account.id)
        return self._pended(account.login, account, place, onward, device=device, veiled=False, first="fed")

    def pending(self, token: str | None) -> Pending:
        """The login of a token. Raises Refused (`over`)."""
        row = self._rows.find(secretly.key(token), datetime.now(UTC)) if token else None
        if row is None:
            raise Refused("over")
        return _pending(row)

    def account(self, pending: Pending) -> Account | None:
        """Whose login it is, where that may be told."""
        return self._accounts.find(pending.account) if pending.account and not pending.veiled else None

    def send_code(self, token: str | None, channel: str) -> None:
        """Sends a one-time code by `mail` or to the `phone`; the one before is void. Raises Refused."""
        pending = self.pending(token)
        account = self._accounts.find(pending.account) if pending.account else None
        address = getattr(account, channel) if account is not None and channel in account.factors else ""
        wait = self._throttle.spend(throttle.MESSAGES, pending.account or pending.login)
        if wait and not pending.veiled:
            raise Refused("wait", wait)
        code = secretly.digits()
        if address and not wait:
            self._rows.set(pending.key, {"code": self._secrets.digest("login", code)}, veiled=pending.veiled)
            self._send(pending, channel, address, code)

    def question(self, token: str | None) -> str | None:
        """What the browser asks a passkey, as JSON; None where the account has none, or that may not be told."""
        pending = self.pending(token)
        account = self.account(pending)
        if account is None or not account.passkeys:
            return None
        options, challenge = factors.passkey_question(self._site, account.passkeys)
        self._rows.set(pending.key, {"challenge": challenge}, account=account.id)
        return options

    def finish(self, token: str | None, typed: str = "", passkey: str = "") -> Passed:
        """The second step, by a code as it was typed or by what a passkey answered. Raises Refused."""
        row = tries.of(self._rows, token)
        pending, account = _pending(row), self._accounts.find(row["account"]) if row["account"] else None
        if account is None:
            self._as_long(row, typed)
            raise Refused("wrong")
        try:
            method = self._by_passkey(row, account, passkey) if passkey else self._by_code(row, account, typed)
        except Refused:
            if not pending.veiled:
                raise
            method = None  # a wait would tell that the password was right
        if method is None:
            raise Refused("wrong", account=account.id)
        if self._rows.take(row["_id"], datetime.now(UTC)) is None:
            raise Refused("over")
        self._succeeded(pending, row["device"], account)
        return Passed(
            self._accounts.find(account.id) or account, (row["first"], method, "mfa"), pending.onward, pending.known
        )

    def choose_later(self, passed: Passed) -> str:
        """Who logged in has yet to say for whom he acts; a token for that."""
        token = secretly.token()
        row = {
            "account": passed.account.id,
            "amr": list(passed.amr),
            "onward": passed.onward,
            "known": passed.known,
            "until": datetime.now(UTC) + LASTS,
        }
        self._choices.put(secretly.key(token), row)
        return token

    def choosing(self, token: str | None, *, done: bool = False) -> Passed:
        """Who logged in and has yet to choose; `done`: he has. Raises Refused (`over`)."""
        key, now = secretly.key(token or ""), datetime.now(UTC)
        row = self._choices.take(key, now) if done else self._choices.find(key, now)
        account = self._accounts.find(row["account"]) if row else None
        if row is None or account is None:
            raise Refused("over")
        return Passed(account, tuple(row["amr"]), row["onward"], row["known"])

    def end(self, account: str) -> None:
        """Ends what is between its steps: the password changed, or the account's sessions were ended."""
        self._rows.drop_all(account=account)
        self._choices.drop_all(account=account)

    def _pended(
        self,
        login: str,
        account: Account | None,
        place: Place,
        onward: str,
        *,
        device: str | None,
        veiled: bool,
        first: str = "pwd",
    ) -> str:
        token = secretly.token()
        row = {
            "login": login,
            "first": first,
            "account": account.id if account is not None else None,
            "veiled": veiled,
            "known": device is not None,
            "place": place.address,
            "device": device,
            "onward": onward,
            "code": "",
            "challenge": "",
            "tries": 0,
            "until": datetime.now(UTC) + LASTS,
        }
        self._rows.put(secretly.key(token), row)
        return token

    def _by_passkey(self, row: Mapping[str, Any], account: Account, answer: str) -> str | None:
        if not row["challenge"]:
            return None
        used = factors.use_passkey(self._accounts, self._site, account, row["challenge"], answer)
        self._rows.set(row["_id"], {"challenge": ""}, challenge=row["challenge"])
        return "hwk" if used else None

    def _by_code(self, row: Mapping[str, Any], account: Account, typed: str) -> str | None:
        code = "".join(typed.split())
        if not (len(code) == 6 and code.isdigit()):
            return "otp" if factors.use_recovery(self._accounts, self._secrets, account, typed) else None
        wait = self._throttle.spend(throttle.SECOND, account.id, *([row["device"]] if row["known"] else []))
        if wait:
            raise Refused("wait", wait)
        if row["code"] and self._secrets.is_digest("login", code, row["code"]):
            return "otp"
        return "otp" if factors.use_totp(self._accounts, self._secrets, account, code) else None

    def _as_long(self, row: Mapping[str, Any], typed: str) -> None:
        """The work of a code that is looked at, where there is nothing to compare it with."""
        self._throttle.spend(throttle.SECOND, "nobody", row["login"])
        self._secrets.is_digest("login", typed, "")
        factors.totp_step(self._secrets.unseal(self._secrets.seal(factors.totp_seed())), "000000", 0)

    def _spend(self, login: str, place: Place, device: str | None) -> None:
        if device is not None:
            waits = [self._throttle.spend(throttle.DEVICE, device, login)]
        else:
            waits = [self._throttle.spend(throttle.ADDRESS, place.address)]
            waits += [] if waits[0] else [self._throttle.spend(throttle.PAIR, login, place.address)]
        if any(waits):
            raise Refused("wait", max(waits))

    def _succeeded(self, pending: Pending, device: str | None, account: Account) -> None:
        if pending.known:
            self._throttle.forget(throttle.DEVICE, device or "", pending.login)
            self._throttle.forget(throttle.SECOND, account.id, device or "")
        else:
            self._throttle.forget(throttle.PAIR, pending.login, pending.place)
            self._throttle.forget(throttle.SECOND, account.id)
            self._throttle.refund(throttle.ADDRESS, pending.place)

    def _send(self, pending: Pending, channel: str, address: str, code: str) -> None:
        from fhirserver.mail import Undelivered

        if pending.veiled:
            self._post.send_aside(channel, address, SUBJECT, TEXT.format(code=code))
            return
        try:
            self._post.send(channel, address, SUBJECT, TEXT.format(code=code))
        except Undelivered:
            raise Refused("unsent") from None

    @property
    def _choices(self) -> Register:
        return self._store.register(CHOICES, ("account",))

    @property
    def _rows(self) -> Register:
        return self._store.register(REGISTER, ("account",))


def _pending(row: Mapping[str, Any]) -> Pending:
    fields = ("login", "account", "veiled", "known", "place", "onward", "challenge")
    return Pending(row["_id"], *(row[name] for name in fields))
