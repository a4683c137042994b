"""Typed settings, from `FHIRSERVER_*` environment variables over a TOML file over the defaults.

A setting `max_body_bytes` is `FHIRSERVER_MAX_BODY_BYTES` in the environment and `max_body_bytes` in the file.
"""

from __future__ import annotations

import dataclasses
import os
import tomllib
from dataclasses import dataclass, field
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from fhirserver.clock import ClockError, parse_clock

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PREFIX: Final = "FHIRSERVER_"
PACKAGES: Final = "packages"
"""Folder of added packages, in the folder of the embedded database."""
LEAST_TRACE_DAYS: Final = 183
"""Six months (CNIL, deliberation 2021-122 on logging)."""
CHOICES: Final = {
    "profiles": ("french", "core"),
    "environment": ("development", "production"),
    "language": ("fr", "en"),
    "conditional_delete": ("single", "multiple"),
    "consent_labels": ("ladder", "tags"),
    "ins_production": ("auto", "on", "off"),
    "syslog_format": ("dicom", "fhir"),
    "smtp_security": ("starttls", "tls", "none"),
    "mssante_security": ("starttls", "tls", "none"),
    "psc_acr": ("eidas1", "eidas2", "eidas3"),
    "psc_subject_tokens": ("introspection", "jwt"),
    "franceconnect_acr": ("eidas1", "eidas2", "eidas3"),
}


class SettingsError(ValueError):
    """A setting that cannot be used, with what to change."""


def _setting(default: Any, meaning: str) -> Any:
    return field(default=default, metadata={"meaning": meaning})


@dataclass(frozen=True)
class Settings:
    """All settings; each field's meaning is printed by `fhirserver settings`."""

    environment: str = _setting("development", "`production` refuses development tokens, test clocks and default keys")
    mongo: str = _setting("", "MongoDB connection string; empty: the embedded database")
    database: str = _setting("fhir", "name of the database")
    embedded: str = _setting("", "folder of the embedded database, its keys and its lock")
    host: str = _setting("127.0.0.1", "address to listen on")
    port: int = _setting(8080, "port to listen on")
    workers: int = _setting(2, "worker processes")
    threads: int = _setting(4, "threads of each worker")
    base_url: str = _setting("", "public FHIR base, as in links and `Location`; empty: http://host:port/fhir")
    packages: str = _setting("", "folder of added packages; empty: `packages` in the folder of the embedded database")
    terminology_server: str = _setting(
        "", "FHIR base of a terminology server, asked about codes of systems that are not here; empty: none"
    )
    profiles: str = _setting(
        "french", "`french`: what claims no profile is held to the French default of its type; `core`: to R4"
    )
    ins_key: bool = _setting(False, "refuse a matricule INS whose key is wrong; published examples have wrong keys")
    ins_consistency: bool = _setting(True, "warn where sex, birth date or birth place disagree with the matricule INS")
    ins_production: str = _setting(
        "auto", "`on`: refuse test and demonstration INS, and an INS on an identity not VALI; `auto`: in production"
    )
    timezone: str = _setting("UTC", "zone of dates and times written without one")
    language: str = _setting("fr", "language of the pages for who has not chosen one: `fr` or `en`")
    referential_integrity: bool = _setting(False, "refuse references to resources that are not here")
    conditional_delete: str = _setting(
        "single", "`single`: criteria that several resources match delete none; `multiple`: they delete all"
    )
    quarantine: bool = _setting(
        False, "keep CDA documents whose patient cannot be established until somebody says whose they are; else: 422"
    )
    consent_labels: str = _setting(
        "ladder", "confidentiality in Consents: `ladder`, or plain `tags` (IHE PCF); from a record's next change on"
    )
    clock: str = _setting(
        "", "for tests: `2026-01-31T12:00:00Z` stands still, `+P3D` or `-PT1H` shifts; not in production"
    )
    max_body_bytes: int = _setting(20_000_000, "largest request body, in bytes; larger: 413")
    max_binary_bytes: int = _setting(1_000_000_000, "largest content sent to /Binary as it is, in bytes; larger: 413")
    trusted_proxies: str = _setting(
        "",
        "networks of the proxies before the server, such as `10.0.0.0/8, 192.0.2.7`: what they say of clients counts",
    )
    client_cert_header: str = _setting(
        "",
        "header in which a trusted proxy tells the client's TLS certificate: `Client-Cert` (RFC 9440), or another that "
        "holds PEM, percent-encoded; empty: none",
    )
    client_cert_authorities: str = _setting(
        "", "PEM file of the authorities that vouch for clients known by the subject of their TLS certificate"
    )
    client_rate: int = _setting(0, "requests a minute of one client, by its token; beyond: 429; 0: any number")
    address_rate: int = _setting(
        6000, "requests a minute without a valid token from one address; beyond: 429; 0: any number"
    )
    query_seconds: int = _setting(10, "time limit of one database query, in seconds")
    max_concurrency: int = _setting(256, "requests at work or waiting in a worker; beyond: 503 with Retry-After")
    job_hours: int = _setting(24, "how long the results of exports and other asynchronous work are kept, in hours")
    job_lease: int = _setting(20, "seconds after which another worker goes on with the work of one that says nothing")
    issuer: str = _setting("", "issuer of accepted tokens; empty: the public base without /fhir")
    audience: str = _setting("", "audience of accepted tokens; empty: the FHIR base")
    token_seconds: int = _setting(600, "how long an access token lasts that an app is given, in seconds: 60 to 900")
    refresh_days: int = _setting(90, "how long an app may refresh its tokens without asking again, in days")
    emergency_seconds: int = _setting(3600, "seconds for which the token of an emergency gives access, from its issue")
    open_registration: bool = _setting(True, "apps may register themselves; an operator references them")
    client_secrets: bool = _setting(False, "let clients prove who they are by a shared secret, not only by their key")
    psc_issuer: str = _setting("", "issuer of Pro Santé Connect, for the logins of professionals; empty: none")
    psc_client_id: str = _setting("", "how this server is known to Pro Santé Connect")
    psc_secret_file: str = _setting("", "file that holds this server's secret at Pro Santé Connect")
    psc_certificate_file: str = _setting("", "PEM file of the certificate and key shown to Pro Santé Connect in TLS")
    psc_discovery: str = _setting(
        "/.well-known/wallet-openid-configuration", "path of its discovery document below the issuer"
    )
    psc_acr: str = _setting("eidas1", "least level of its logins: `eidas1`, `eidas2` or `eidas3`")
    psc_subject_tokens: str = _setting(
        "introspection", "how access tokens to be exchanged are judged: by `introspection`, or as a signed `jwt`"
    )
    franceconnect_issuer: str = _setting("", "issuer of FranceConnect, for the logins of patients; empty: none")
    franceconnect_client_id: str = _setting("", "how this server is known to FranceConnect")
    franceconnect_secret_file: str = _setting("", "file that holds this server's secret at FranceConnect")
    franceconnect_acr: str = _setting("eidas1", "least level of its logins; `eidas1` counts as one factor of two")
    dicomweb_url: str = _setting("", "DICOMweb base of the PACS that images are shown from; empty: none are shown")
    dicomweb_credentials_file: str = _setting(
        "", "file with a line `bearer TOKEN` or `basic USER:PASSWORD` for the PACS; empty: without"
    )
    dicomweb_ca_file: str = _setting("", "PEM file of the authorities that vouch for the PACS; empty: the system's")
    key_file: str = _setting("", "PEM private key that signs tokens and derives the key of page links")
    smtp_host: str = _setting("", "SMTP server that e-mails are handed to; empty: none are sent")
    smtp_port: int = _setting(587, "port of the SMTP server")
    smtp_security: str = _setting("starttls", "how the SMTP server is spoken to: `starttls`, `tls`, or `none` (plain)")
    smtp_user: str = _setting("", "name to log in to the SMTP server with; empty: without")
    smtp_password_file: str = _setting("", "file that holds the password for the SMTP server")
    smtp_ca_file: str = _setting("", "PEM file of the authorities that vouch for the SMTP server; empty: the system's")
    smtp_from: str = _setting("", "address that e-mails come from")
    mssante_domain: str = _setting("patient.mssante.fr", "domain of the persons' addresses, INS@domain; empty: none")
    mssante_host: str = _setting("", "SMTP relay that messages to professionals are handed to; empty: none are")
    mssante_port: int = _setting(587, "port of the relay")
    mssante_security: str = _setting("starttls", "how the relay is spoken to: `starttls`, `tls`, or `none` (plain)")
    mssante_user: str = _setting("", "name to log in to the relay with; empty: without")
    mssante_password_file: str = _setting("", "file that holds the password for the relay")
    mssante_listen: str = _setting("", "`host:port` on which letters from professionals are taken by SMTP; empty: none")
    mssante_relays: str = _setting("127.0.0.1/32", "networks of the relays that may hand letters over there")
    mssante_certificate_file: str = _setting("", "PEM file of the certificate and key of that listener; empty: no TLS")
    mssante_ca_file: str = _setting("", "PEM file of the authorities that vouch for the relay; empty: the system's")
    sms_url: str = _setting("", "gateway that text messages are posted to as JSON; empty: none are sent")
    sms_token_file: str = _setting("", "file that holds the bearer token for the gateway of text messages")
    session_idle_minutes: int = _setting(20, "minutes after which a browser session that is not used ends")
    session_hours: int = _setting(8, "hours after which a browser session ends, used or not")
    password_memory: int = _setting(47_104, "memory of the hash of a password (argon2id), in KiB")
    password_passes: int = _setting(1, "passes of the hash of a password over its memory")
    anchor_seconds: int = _setting(
        300, "seconds after which the chains of traces are anchored in one another; 0: never, then cut ends do not show"
    )
    erasure_file: str = _setting("", "file that each erasure is added to, for `fhirserver restore --erasures`")
    anchor_file: str = _setting("", "file that each anchor is added to, for `fhirserver audit verify --anchors`")
    syslog_tls_host: str = _setting("", "syslog server that all traces are sent to over TLS; empty: none")
    syslog_tls_port: int = _setting(6514, "port of the syslog server")
    syslog_tls_ca: str = _setting("", "PEM file of the authorities that vouch for it; empty: the system's")
    syslog_tls_cert: str = _setting("", "PEM file of the certificate by which it knows this server; empty: none")
    syslog_tls_key: str = _setting("", "PEM file of the key of that certificate; empty: in the same file")
    syslog_format: str = _setting("dicom", "what it is sent: `dicom` (audit messages, ITI-20) or `fhir` (AuditEvents)")
    notice_days: int = _setting(
        0, "days for which a person is shown who looked and what happened (Communications of the server); 0: for good"
    )
    log_folder: str = _setting("", "folder of the server's messages, a file a day; empty: standard error only")
    log_days: int = _setting(180, "days for which files of messages are kept in `log_folder`; 0: for good")
    trace_days: int = _setting(3653, "days for which traces are kept: as long as a closed record; 0: for good")
    sync_on_commit: bool = _setting(True, "embedded database: flush each commit to disk")

    @property
    def genuine_ins(self) -> bool:
        """Whether only genuine INS of validated identities are taken."""
        return self.ins_production == "on" or (self.ins_production == "auto" and self.environment == "production")

    @property
    def packages_folder(self) -> Path | None:
        """Where added packages lie; None when there is no such place."""
        if self.packages:
            return Path(self.packages)
        return Path(self.embedded) / PACKAGES if self.embedded else None


def load(config: str | Path | None = None, environ: Mapping[str, str] | None = None, **given: Any) -> Settings:
    """Settings from the TOML file, then the environment, then `given` (values that are None do not count)."""
    values: dict[str, Any] = {}
    if config is not None:
        values.update(_from_file(Path(config)))
    values.update(_from_environment(os.environ if environ is None else environ))
    values.update({key: value for key, value in given.items() if value is not None})
    return _checked(values)


def listing(settings: Settings) -> Iterator[tuple[str, str, str]]:
    """`(environment variable, value, meaning)` of every setting, in order; a password in a URI is not shown."""
    for each in dataclasses.fields(settings):
        value = getattr(settings, each.name)
        shown = _without_password(value) if each.name == "mongo" else value
        text = str(shown).lower() if isinstance(shown, bool) else str(shown)
        yield PREFIX + each.name.upper(), text, each.metadata["meaning"]


def environment(settings: Settings) -> dict[str, str]:
    """The settings as environment variables, for a worker process."""
    return {PREFIX + each.name.upper(): str(getattr(settings, each.name)) for each in dataclasses.fields(settings)}


_FIELDS: Final = {each.name: each for each in dataclasses.fields(Settings)}


def _from_file(path: Path) -> dict[str, Any]:
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"Cannot read {path}: {error.strerror}.") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path} is not TOML: {error}.") from None
    for name in values:
        if name not in _FIELDS:
            raise SettingsError(f"{path}: there is no setting {name!r}; `fhirserver settings` lists them.")
    return values


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    values = {}
    for variable, text in environ.items():
        name = variable.removeprefix(PREFIX).lower()
        if variable.startswith(PREFIX) and name in _FIELDS:
            values[name] = text
    return values


def _checked(values: dict[str, Any]) -> Settings:
    settings = Settings(**{name: _typed(name, value) for name, value in values.items()})
    try:
        ZoneInfo(settings.timezone)
    except (ZoneInfoNotFoundError, ValueError):
        raise SettingsError(f"timezone: {settings.timezone!r} is not a time zone such as Europe/Paris.") from None
    try:
        parse_clock(settings.clock)
    except ClockError as error:
        raise SettingsError(f"clock: {error}") from None
    if settings.terminology_server and not _is_http(settings.terminology_server):
        raise SettingsError(f"terminology_server: {settings.terminology_server!r} is not an http or https URL.")
    _check_mail(settings)
    _check_mssante(settings)
    _check_traces(settings)
    _check_accounts(settings)
    _check_federation(settings)
    if settings.dicomweb_url and not _is_base(settings.dicomweb_url):
        raise SettingsError("dicomweb_url: an https URL without user, query and fragment, or http on this machine.")
    if not 60 <= settings.token_seconds <= 900:
        raise SettingsError("token_seconds: 60 to 900, so that what was granted does not outlive its end for long.")
    if settings.environment == "production" and settings.clock:
        raise SettingsError("clock: a test clock is refused in production.")
    return settings


def _check_traces(settings: Settings) -> None:
    if 0 < settings.trace_days < LEAST_TRACE_DAYS:
        raise SettingsError(f"trace_days: traces are kept for {LEAST_TRACE_DAYS} days at least, or for good (0).")


def _check_mail(settings: Settings) -> None:
    if settings.smtp_host and not settings.smtp_from:
        raise SettingsError("smtp_from: e-mails need an address that they come from, such as espace@exemple.fr.")
    if not 0 < settings.smtp_port < 65536:
        raise SettingsError(f"smtp_port: {settings.smtp_port} is no port.")


def _check_mssante(settings: Settings) -> None:
    host, _, port = settings.mssante_listen.rpartition(":")
    if settings.mssante_listen and (not host or not port.isdecimal() or not 0 < int(port) < 65536):
        raise SettingsError(f"mssante_listen: {settings.mssante_listen!r} is not host:port.")
    try:
        [ip_network(each) for each in settings.mssante_relays.replace(",", " ").split()]
    except ValueError as error:
        raise SettingsError(f"mssante_relays: {error}") from None
    if (settings.mssante_listen or settings.mssante_host) and not settings.mssante_domain:
        raise SettingsError("mssante_domain: letters need a domain of persons' addresses.")


def _check_accounts(settings: Settings) -> None:
    if settings.sms_url and not _is_http(settings.sms_url):
        raise SettingsError(f"sms_url: {settings.sms_url!r} is not an http or https URL.")
    if settings.session_idle_minutes < 1 or settings.session_hours < 1:
        raise SettingsError("session_idle_minutes, session_hours: a session lasts at least 1.")
    if settings.password_memory < 8 or settings.password_passes < 1:
        raise SettingsError("password_memory, password_passes: argon2id needs 8 KiB and 1 pass at least.")
    weak = settings.password_memory < 7168 or settings.password_memory * settings.password_passes < 35_840
    if settings.environment == "production" and weak:
        raise SettingsError(
            "password_memory, password_passes: in production at least 7168 KiB, and 35840 KiB times passes (OWASP)."
        )


def _check_federation(settings: Settings) -> None:
    known = {"psc": settings.psc_secret_file or settings.psc_certificate_file}
    known["franceconnect"] = settings.franceconnect_secret_file
    for name, shown in known.items():
        issuer, client = getattr(settings, f"{name}_issuer"), getattr(settings, f"{name}_client_id")
        if not issuer:
            continue
        if not _is_https(issuer, loopback=settings.environment != "production"):
            raise SettingsError(f"{name}_issuer: {issuer!r} is not an https URL, or is on this machine in production.")
        if not client or not shown:
            raise SettingsError(f"{name}_client_id, {name}_secret_file: the provider must know this server.")
    if settings.client_cert_header and not settings.trusted_proxies:
        raise SettingsError("client_cert_header: name the proxies that may send it, in trusted_proxies.")


def _is_https(url: str, *, loopback: bool) -> bool:
    """Whether a URL is https and of another machine, or, with `loopback`, of this one too, by http as well."""
    if not _is_http(url):
        return False
    parts = urlsplit(url)
    host = parts.hostname or ""
    here = host == "localhost" or host.endswith(".localhost") or host.startswith("127.") or host == "::1"
    return (parts.scheme == "https" or here) if loopback else (parts.scheme == "https" and not here)


def _is_base(url: str) -> bool:
    """Whether paths may be added to a URL, which is https, or of this machine."""
    try:
        parts = urlsplit(url)
        plain = parts.username is None and parts.password is None
    except ValueError:
        return False
    return plain and not parts.query and not parts.fragment and _is_https(url, loopback=True)


def _is_http(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _typed(name: str, value: Any) -> Any:
    default: Any = _FIELDS[name].default
    if isinstance(default, bool):
        return _boolean(name, value)
    if isinstance(default, int):
        return _integer(name, value)
    text = str(value)
    if name in CHOICES and text not in CHOICES[name]:
        raise SettingsError(f"{name}: {text!r} is none of {', '.join(CHOICES[name])}.")
    return text


def _boolean(name: str, value: Any) -> bool:
    words = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}
    try:
        return words[str(value).lower()]
    except KeyError:
        raise SettingsError(f"{name}: {value!r} is neither true nor false.") from None


def _integer(name: str, value: Any) -> int:
    try:
        number = int(str(value))
    except ValueError:
        raise SettingsError(f"{name}: {value!r} is not a whole number.") from None
    if number < 0:
        raise SettingsError(f"{name}: {number} is negative.")
    return number


def _without_password(uri: str) -> str:
    scheme, separator, rest = uri.partition("://")
    credentials, at, hosts = rest.rpartition("@")
    user = credentials.partition(":")[0]
    return f"{scheme}{separator}{user}:…@{hosts}" if at and ":" in credentials else uri
