"""`fhirserver account`: accounts of operators and agents, and provisional codes for patients."""

from __future__ import annotations

import csv
import getpass
import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fhirserver.cli import Problem
from fhirserver.cli.opening import account_room, database_arguments, key_ring, named, opened

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from fhirserver.auth.accounts.room import AccountRoom
    from fhirserver.auth.grants import Grants
    from fhirserver.auth.sessions import Sessions


def arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    add = actions.add_parser("add", help="make an account of the service, with an app for codes", allow_abbrev=False)
    kinds = add.add_mutually_exclusive_group(required=True)
    kinds.add_argument("--operator", metavar="LOGIN", help="of an operator: the identifier to log in with")
    kinds.add_argument(
        "--agent", metavar="LOGIN", help="of an agent of the health insurance, who opens and closes spaces"
    )
    add.add_argument("--password-file", metavar="FILE", type=Path, help="default: it is asked for")
    remove = actions.add_parser("remove", help="take an account away, and end its sessions", allow_abbrev=False)
    remove.add_argument("--login", metavar="LOGIN", required=True)
    invite = actions.add_parser("invite", help="make a provisional code for a patient", allow_abbrev=False)
    invite.add_argument("--patient", metavar="ID", required=True, help="whose space it is")
    invite.add_argument(
        "--related", metavar="ID", help="the RelatedPerson who represents the patient, and gets the code"
    )
    invite.add_argument("--mail", action="store_true", help="send it to the address of the record; default: print it")
    card = actions.add_parser("card", help="keep the serial number of a patient's Vitale card", allow_abbrev=False)
    card.add_argument("--patient", metavar="ID", required=True)
    card.add_argument("--serial", metavar="NUMBER", required=True)
    letters = actions.add_parser("letters", help="make the codes of letters, for who prints them", allow_abbrev=False)
    letters.add_argument("--out", metavar="CSV", type=Path, required=True, help="a new file; it holds the codes")
    letters.add_argument("--file", metavar="CSV", type=Path, help="of `espace open`: for those persons too")
    for action in (add, remove, invite, card, letters):
        database_arguments(action, key=True)
    for action in (invite, card):
        action.add_argument("--base", metavar="URL", help="FHIR base of a running server, instead of its database")
        action.add_argument("--token", metavar="T", help="an operator's bearer token, with --base")


def run(options: argparse.Namespace) -> int:
    from fhirserver.errors import FhirError
    from fhirserver.mail import Undelivered

    try:
        return _run(options)
    except (FhirError, Undelivered) as error:
        raise Problem(str(error)) from None


def _run(options: argparse.Namespace) -> int:
    if getattr(options, "base", None):
        return _over_http(options)
    with _room(options) as (room, sessions, grants):
        if options.action == "add":
            return _add(options, room)
        if options.action == "remove":
            account = room.accounts.named(options.login)
            if account is None:
                raise Problem("there is no account of that identifier.")
            room.accounts.remove(account)
            for each in grants.of(account.id):
                grants.revoke(each.id)
            print(f"removed, {sessions.close_all(account.id)} sessions ended")
            return 0
        if options.action == "card":
            room.invitations.know_card(options.patient, options.serial)
            return 0
        if options.action == "letters":
            return _letters(options, room)
        code, made = room.invitations.invite(options.patient, by="command line", related=options.related)
        if options.mail:
            room.invitations.mail(code, made)
        print(f"sent, until {made.last}" if options.mail else f"{code} until {made.last}")
    return 0


def _add(options: argparse.Namespace, room: AccountRoom) -> int:
    from fhirserver.auth.accounts import factors
    from fhirserver.auth.accounts.passwords import refusal

    if options.password_file:
        password = options.password_file.read_text(encoding="utf-8").rstrip("\n")
    else:
        password = getpass.getpass("Password: ")
    kind, login = ("operator", options.operator) if options.operator else ("agent", options.agent)
    if text := refusal(password, (login,)):
        raise Problem(text)
    seed = factors.totp_seed()
    codes, digests = factors.recovery_codes(room.secrets)
    room.accounts.add(kind, login, room.passwords.hash(password), totp=room.secrets.seal(seed), recovery=digests)
    print(f"authenticator app: {factors.totp_uri(seed, login)}")
    print("recovery codes:", *codes)
    return 0


def _letters(options: argparse.Namespace, room: AccountRoom) -> int:
    from fhirserver.auth.accounts.letters import Letter

    refused: list[str] = []
    patients = dict.fromkeys(room.letters.waiting())
    if options.file is not None:
        patients |= dict.fromkeys(_numbered(options.file, room))
    try:
        handle = os.open(options.out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise Problem(f"{options.out} cannot be made: {error.strerror}.") from None
    with os.fdopen(handle, "w", encoding="utf-8", newline="") as out:
        rows = csv.writer(out)
        rows.writerow(Letter._fields)
        count = 0
        for each in room.letters.made(patients, refused):
            rows.writerow(each)
            count += 1
    for fault in refused[:20]:
        print(fault, file=sys.stderr)
    print(f"{count} letters, {len(refused)} refused")
    return 1 if refused else 0


def _numbered(file: Path, room: AccountRoom) -> Iterator[str]:
    """The patients of the numbers in a file, of those who have no account yet."""
    from fhirserver.espace import insured

    try:
        for row in insured.rows(file):
            for patient in room.people.of_matricule(row.values.get("matricule", "").replace(" ", "").upper()):
                if not room.accounts.of_patient(patient):
                    yield patient
    except (OSError, ValueError) as error:
        raise Problem(f"{file} cannot be read: {error}.") from None


def _over_http(options: argparse.Namespace) -> int:
    asked: dict[str, Any] = {"patient": options.patient}
    if options.action == "card":
        asked["serial"] = options.serial
    elif options.related:
        asked["related"] = options.related
    if options.action == "invite":
        asked["send"] = "mail" if options.mail else "letter"
    told = _post(options, asked)
    if options.action == "invite":
        print(f"{told.get('code', 'sent,')} until {told['last']}")
    return 0


def _post(options: argparse.Namespace, asked: dict[str, Any]) -> dict[str, Any]:
    import urllib.error
    import urllib.request

    from fhirserver import jsontext

    kind = "invitations" if options.action == "invite" else "cards"
    url = f"{options.base.rstrip('/').removesuffix('/fhir')}/accounts/api/{kind}"
    headers = {"Authorization": f"Bearer {options.token or ''}", "Content-Type": "application/json"}
    request = urllib.request.Request(url, jsontext.dump(asked), headers, method="POST")  # noqa: S310 - the user's own
    try:
        with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310
            return jsontext.parse_object(response.read())
    except urllib.error.HTTPError as error:
        with error:
            print(error.read().decode("utf-8", "replace"), file=sys.stderr)
        raise Problem(f"the server answers {error.code}.") from None
    except (OSError, ValueError) as error:
        raise Problem(f"the server cannot be reached: {error}.") from None


@contextmanager
def _room(options: argparse.Namespace) -> Iterator[tuple[AccountRoom, Sessions, Grants]]:
    from fhirserver.auth.grants import Grants
    from fhirserver.auth.sessions import Sessions

    settings = named(options)
    keys = key_ring(settings)
    with opened(settings) as store:
        yield account_room(settings, store, keys), Sessions(store), Grants(store)
