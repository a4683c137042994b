"""`fhirserver token`: a development token, signed with the key in the embedded server's folder."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from fhirserver import settings as settings_
from fhirserver.cli import Problem

if TYPE_CHECKING:
    import argparse

    from fhirserver.access import Requester

_RPPS: Final = re.compile(r"[0-9]{11}")
_FINESS: Final = re.compile(r"[0-9A-Za-z]{9}")


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data", "--embedded", dest="data", metavar="DIR", required=True, help="folder of the embedded server"
    )
    who = parser.add_mutually_exclusive_group(required=True)
    who.add_argument("--patient", metavar="ID", help="the person whose record it is")
    who.add_argument("--representative", metavar="PATIENT_ID", help="a legal representative of the person")
    who.add_argument("--practitioner", metavar="RPPS", help="a health professional, by 11 digits")
    who.add_argument("--system", metavar="CLIENT", help="a hospital or laboratory system")
    who.add_argument("--operator", action="store_true", help="unrestricted, and traced")
    parser.add_argument("--related", metavar="ID", help="of a representative: the RelatedPerson that he is")
    parser.add_argument("--profession", metavar="CODE", help="of a practitioner, such as G15_10")
    parser.add_argument("--organization", metavar="FINESS", help="of a practitioner or system")
    parser.add_argument(
        "--staff", metavar="ID", help="who acts under the practitioner's responsibility: an RPPS number, or any name"
    )
    parser.add_argument("--scope", help="SMART scopes, space separated; default: all that this kind may hold")
    parser.add_argument("--purpose", default="TREAT", help="purpose of use (v3-PurposeOfUse), default TREAT")
    parser.add_argument("--reason", help="why the glass is broken: --purpose BTG needs it")
    parser.add_argument("--lifetime", type=int, default=3600, metavar="SECONDS", help="default 3600")
    parser.add_argument("--issuer", metavar="URL", help="issuer that a server on --mongo is set to accept")


def run(options: argparse.Namespace) -> int:
    print(minted(options))
    return 0


def minted(options: argparse.Namespace) -> str:
    """The token that the options describe. Raises Problem."""
    from fhirserver.auth import DEVELOPMENT_ISSUER, KeyRing, development_claims
    from fhirserver.auth.keys import KEY_FILE, KeyFileError

    try:
        settings = settings_.load()
        keys = KeyRing.beside(Path(options.data) / KEY_FILE)
    except (settings_.SettingsError, KeyFileError) as error:
        raise Problem(str(error)) from None
    if settings.environment == "production":
        raise Problem("development tokens are refused in production (FHIRSERVER_ENVIRONMENT).")
    if options.lifetime <= 0:
        raise Problem("--lifetime must be a positive number of seconds.")
    issuer = options.issuer or settings.issuer or DEVELOPMENT_ISSUER
    audience = settings.audience or issuer
    claims = development_claims(_requester(options), issuer=issuer, audience=audience, lifetime=options.lifetime)
    return keys.sign(claims)


def _requester(options: argparse.Namespace) -> Requester:
    from fhirserver.access import Requester

    organization = options.organization
    if options.staff and not options.practitioner:
        raise Problem("--staff acts under the responsibility of a --practitioner.")
    if organization is not None and not _FINESS.fullmatch(organization):
        raise Problem("--organization is a FINESS number: 9 characters.")
    scopes = tuple((options.scope or "").split())
    common: dict[str, Any] = {"purpose": options.purpose, "scopes": scopes, "reason": options.reason}
    if options.purpose == "BTG" and options.practitioner and not (options.reason or "").strip():
        raise Problem("--purpose BTG needs --reason: the person and the médecin traitant are told of it.")
    if options.operator:
        return Requester(kind="operator", id="operator", **common)
    if options.patient:
        return Requester(kind="patient", id=f"patient/{options.patient}", patient=options.patient, **common)
    if options.representative:
        patient = options.representative
        id = f"RelatedPerson/{options.related}" if options.related else f"representative/{patient}"
        return Requester(kind="representative", id=id, patient=patient, **common)
    if options.system:
        if organization is None:
            raise Problem("--system needs --organization: its deposits belong to an establishment.")
        return Requester(
            kind="system", id=f"client/{options.system}", client=options.system, organization=organization, **common
        )
    return _practitioner(options, organization, common)


def _practitioner(options: argparse.Namespace, organization: str | None, common: dict[str, Any]) -> Requester:
    from fhirserver.access import Delegate, Requester

    if not _RPPS.fullmatch(options.practitioner):
        raise Problem("--practitioner is an RPPS number: 11 digits.")
    if options.profession is None:
        raise Problem("--practitioner needs --profession, such as G15_10 for a physician.")
    return Requester(
        kind="practitioner",
        id=f"practitioner/{options.practitioner}",
        rpps=options.practitioner,
        profession=options.profession,
        organization=organization,
        delegate=Delegate(staff, staff if _RPPS.fullmatch(staff) else None) if (staff := options.staff) else None,
        **common,
    )
