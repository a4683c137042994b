"""Persons with accounts, for tests of pages; an authenticator of passkeys that signs for real."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import cbor2
import pyotp
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url

from fhirserver.auth.accounts import factors
from fhirserver.auth.accounts.account import Account, Reach
from tests.portal.browser import Browser
from tests.records import Resource, patient

if TYPE_CHECKING:
    from tests.application import Application
    from tests.mail.server import Box
    from tests.portal.browser import Page

PASSWORD = "lampe tortue orage violon"
INS_DEMO = "urn:oid:1.2.250.1.213.1.4.11"
_numbers = itertools.count(1)


class Person(NamedTuple):
    """`codes`: recovery codes. `seed`: of the app; empty where there is none."""

    account: Account
    login: str
    patient: str
    codes: list[str]
    seed: str

    @property
    def code(self) -> str:
        """What the app shows now."""
        return pyotp.TOTP(self.seed).now()


def matricule() -> str:
    return f"2840275{next(_numbers):06}00"


def named(given: str, family: str = "EXEMPLE", birth: str = "1984-02-29", number: str = "", **more: Any) -> Resource:
    """A Patient with an INS for demonstrations."""
    return patient(
        identifier=[{"system": INS_DEMO, "value": number or matricule()}],
        name=[{"family": family, "given": [given]}],
        birthDate=birth,
        **more,
    )


def person(house: Application, given: str = "Claire", *, totp: bool = False, mail: bool = True, **more: Any) -> Person:
    """Somebody with a record, and an account that leads to it."""
    room, login = house.services.accounts, f"{given.casefold()}{next(_numbers)}"
    id_ = house.operator().create(named(given))
    codes, digests = factors.recovery_codes(room.secrets)
    seed = factors.totp_seed() if totp else ""
    account = room.accounts.add(
        "person",
        login,
        room.passwords.hash(PASSWORD),
        **{
            "mail": f"{login}@exemple.fr" if mail else "",
            "totp": room.secrets.seal(seed) if seed else "",
            "recovery": digests,
            "records": (Reach(id_),),
        }
        | more,
    )
    return Person(account, login, id_, codes, seed)


def first_step(browser: Browser, login: str, password: str = PASSWORD, path: str = "/connexion") -> Page:
    return browser.send(browser.get(path), "/connexion", {"identifiant": login, "mot-de-passe": password})


def log_in(house: Application, who: Person, box: Box | None = None) -> Browser:
    """A browser in which somebody is logged in: by the code of the app, or that of the mailbox."""
    browser = Browser(house)
    step = first_step(browser, who.login)
    assert step.path == "/connexion/code", step.text
    page = browser.send(step, "/connexion/code", code=who.code if who.seed else mailed(box, who))
    assert page.status == 200, page.text
    return browser


def mailed(box: Box | None, who: Person, pattern: str = r"\b\d{6}\b") -> str:
    """The code of the last e-mail to somebody, which may be on its way."""
    assert box is not None
    return code_for(box, who.account.mail, pattern)


def code_for(box: Box, address: str, pattern: str = r"\b\d{6}\b") -> str:
    for _ in range(6000):
        texts = [each.get_content() for each in box.messages if each["To"] == address]
        if texts and (found := re.findall(pattern, texts[-1])):
            return str(found[-1])
        time.sleep(0.01)
    raise AssertionError(f"no e-mail to {address}")


class Authenticator:
    """A passkey in software (WebAuthn 3, section 6): ES256, attestation `none`."""

    def __init__(self, origin: str = "http://127.0.0.1:8080", host: str = "127.0.0.1") -> None:
        self.origin, self.host = origin, host
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.id = hashlib.sha256(str(next(_numbers)).encode()).digest()
        self.count = 0

    def create(self, options: str) -> str:
        """The answer to `navigator.credentials.create`."""
        client = self._client("webauthn.create", json.loads(options)["challenge"])
        point = self.key.public_key().public_numbers()
        public = {1: 2, 3: -7, -1: 1, -2: point.x.to_bytes(32, "big"), -3: point.y.to_bytes(32, "big")}
        held = bytes(16) + len(self.id).to_bytes(2, "big") + self.id + cbor2.dumps(public)
        attested = {"fmt": "none", "attStmt": {}, "authData": self._data(0x45) + held}
        return self._answer(clientDataJSON=client, attestationObject=cbor2.dumps(attested))

    def get(self, options: str) -> str:
        """The answer to `navigator.credentials.get`."""
        asked = json.loads(options)
        assert bytes_to_base64url(self.id) in [each["id"] for each in asked["allowCredentials"]]
        client = self._client("webauthn.get", asked["challenge"])
        data = self._data(0x05)
        signature = self.key.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(hashes.SHA256()))
        return self._answer(clientDataJSON=client, authenticatorData=data, signature=signature)

    def _data(self, flags: int) -> bytes:
        self.count += 1
        return hashlib.sha256(self.host.encode()).digest() + bytes([flags]) + self.count.to_bytes(4, "big")

    def _client(self, type_: str, challenge: str) -> bytes:
        assert base64url_to_bytes(challenge)
        return json.dumps({"type": type_, "challenge": challenge, "origin": self.origin, "crossOrigin": False}).encode()

    def _answer(self, **response: bytes) -> str:
        id_ = bytes_to_base64url(self.id)
        told = {name: bytes_to_base64url(value) for name, value in response.items()}
        return json.dumps(
            {"id": id_, "rawId": id_, "type": "public-key", "response": told, "clientExtensionResults": {}}
        )
