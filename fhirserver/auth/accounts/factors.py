"""Second factors: time-based codes (RFC 6238), passkeys (WebAuthn 3), recovery codes. Each code is good once."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import pyotp

from fhirserver.auth.accounts import secretly
from fhirserver.auth.accounts.account import Account, Passkey

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fhirserver.auth.accounts.account import Accounts
    from fhirserver.auth.accounts.secretly import Secrets

PERIOD: Final = 30
DRIFT: Final = 1
"""Time steps by which a clock may be wrong, before and after."""
RECOVERY_CODES: Final = 10
MOST_PASSKEYS: Final = 10
_RACES: Final = 20


class Site:
    """Whom a passkey is for: `host` of the server (relying party), `origin` of its pages."""

    def __init__(self, root: str) -> None:
        self.origin = root
        self.host = root.partition("://")[2].partition("/")[0].rpartition("@")[2]
        self.host = self.host.rpartition(":")[0] if self.host.rpartition(":")[2].isdigit() else self.host


def totp_seed() -> str:
    """A new seed, base32."""
    return pyotp.random_base32()


def totp_uri(seed: str, login: str) -> str:
    """What a QR code for an authenticator app holds."""
    return pyotp.TOTP(seed).provisioning_uri(name=login, issuer_name="Espace de santé")


def totp_step(seed: str, code: str, after: int) -> int | None:
    """The time step that a code is of, if that is not before or at `after`."""
    now = int(time.time()) // PERIOD
    if len(code) != 6 or not code.isascii() or not code.isdigit():
        return None
    one = pyotp.TOTP(seed)
    steps = range(now - DRIFT, now + DRIFT + 1)
    found = [step for step in steps if pyotp.utils.strings_equal(one.generate_otp(step), code)]
    return next((step for step in found if step > after), None)


def use_totp(accounts: Accounts, secrets: Secrets, account: Account, code: str) -> Account | None:
    """The account after the code was used up; None when it is wrong or was used."""
    for _ in range(_RACES):
        if not account.totp:
            return None
        step = totp_step(secrets.unseal(account.totp), code, account.step)
        if step is None:
            return None
        changed = accounts.change(account, step=step)
        if changed is not None:
            return changed
        account = accounts.find(account.id) or account._replace(totp="")
    return None


def recovery_codes(secrets: Secrets) -> tuple[list[str], tuple[str, ...]]:
    """New recovery codes, and their digests for the account."""
    codes = [secretly.words(4, 4) for _ in range(RECOVERY_CODES)]
    return codes, tuple(secrets.digest("recovery", secretly.read(each)) for each in codes)


def use_recovery(accounts: Accounts, secrets: Secrets, account: Account, typed: str) -> Account | None:
    """The account without the code; None when there is no such code, or it was used."""
    digest = secrets.digest("recovery", secretly.read(typed))
    for _ in range(_RACES):
        if digest not in account.recovery:
            return None
        changed = accounts.change(account, recovery=tuple(each for each in account.recovery if each != digest))
        if changed is not None:
            return changed
        account = accounts.find(account.id) or account._replace(recovery=())
    return None


def passkey_options(site: Site, account_id: str, login: str, held: Sequence[Passkey]) -> tuple[str, str]:
    """What `navigator.credentials.create` takes, as JSON, and its challenge (base64url)."""
    import webauthn
    from webauthn.helpers import structs

    made = webauthn.generate_registration_options(
        rp_id=site.host,
        rp_name="Espace de santé",
        user_name=login,
        user_id=account_id.encode(),
        authenticator_selection=structs.AuthenticatorSelectionCriteria(
            user_verification=structs.UserVerificationRequirement.PREFERRED
        ),
        exclude_credentials=[_descriptor(each.id) for each in held],
    )
    return webauthn.options_to_json(made), webauthn.helpers.bytes_to_base64url(made.challenge)


def passkey_made(site: Site, challenge: str, answer: str, name: str) -> Passkey | None:
    """The passkey that a browser made; None when what it sends does not hold."""
    import webauthn

    try:
        made = webauthn.verify_registration_response(
            credential=answer,
            expected_challenge=webauthn.base64url_to_bytes(challenge),
            expected_rp_id=site.host,
            expected_origin=site.origin,
        )
    except (webauthn.helpers.exceptions.WebAuthnException, ValueError, KeyError, TypeError):
        return None
    id_ = webauthn.helpers.bytes_to_base64url(made.credential_id)
    return Passkey(id_, made.credential_public_key, made.sign_count, name, datetime.now(UTC))


def passkey_question(site: Site, held: Sequence[Passkey]) -> tuple[str, str]:
    """What `navigator.credentials.get` takes, as JSON, and its challenge (base64url)."""
    import webauthn

    made = webauthn.generate_authentication_options(
        rp_id=site.host, allow_credentials=[_descriptor(each.id) for each in held]
    )
    return webauthn.options_to_json(made), webauthn.helpers.bytes_to_base64url(made.challenge)


def use_passkey(accounts: Accounts, site: Site, account: Account, challenge: str, answer: str) -> Account | None:
    """The account with the passkey's new count; None when the answer does not hold, or a count shows a copy."""
    import webauthn

    try:
        id_ = webauthn.helpers.parse_authentication_credential_json(answer).id
        held = next((each for each in account.passkeys if each.id == id_), None)
        if held is None:
            return None
        found = webauthn.verify_authentication_response(
            credential=answer,
            expected_challenge=webauthn.base64url_to_bytes(challenge),
            expected_rp_id=site.host,
            expected_origin=site.origin,
            credential_public_key=held.public,
            credential_current_sign_count=held.signs,
        )
    except (webauthn.helpers.exceptions.WebAuthnException, ValueError, KeyError, TypeError):
        return None
    passkeys = tuple(
        each._replace(signs=found.new_sign_count) if each.id == held.id else each for each in account.passkeys
    )
    return accounts.change(account, passkeys=passkeys)


def _descriptor(id_: str) -> Any:
    import webauthn
    from webauthn.helpers import structs

    return structs.PublicKeyCredentialDescriptor(id=webauthn.base64url_to_bytes(id_))
