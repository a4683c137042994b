"""Media types, `Prefer` and entity tags, strictly."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from werkzeug.http import parse_accept_header, parse_options_header

from fhirserver.errors import BadRequest, NotAcceptable, UnsupportedMediaType

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flask import Request

FHIR_JSON: Final = "application/fhir+json"
FHIR_XML: Final = "application/fhir+xml"
_NAMES: Final = {
    FHIR_JSON: (FHIR_JSON, "application/json", "text/json"),
    FHIR_XML: (FHIR_XML, "application/xml", "text/xml"),
}
_ENCODINGS: Final = {FHIR_JSON: ("utf-8", "utf8"), FHIR_XML: ("utf-8", "utf8", "utf-16")}
_MEDIA: Final = {name: media for media, names in _NAMES.items() for name in names}
_FORMATS: Final = {"json": FHIR_JSON, "xml": FHIR_XML, **_MEDIA}
_RANGES: Final = ("application/*", "*/*", "text/*")
_RETURNS: Final = ("minimal", "representation", "OperationOutcome")
_ETAG: Final = re.compile(r'(?:W/)?"([1-9][0-9]{0,17})"')
ABSENT: Final = 0
"""In place of the version that a write expects: there is none."""
_VERSIONS: Final = (None, "4.0", "4.0.1")


class Wanted(NamedTuple):
    """The form of an answer: its media type, and whether it is laid out for a human reader."""

    media: str = FHIR_JSON
    pretty: bool = False


class Prefer(NamedTuple):
    """https://hl7.org/fhir/R4/http.html#ops and RFC 7240: what is not understood is ignored."""

    returns: str | None = None
    lenient: bool = False
    asynchronous: bool = False


@lru_cache(maxsize=256)
def answer_type(accept: str | None, format_parameter: str | None) -> str:
    """FHIR_JSON or FHIR_XML, whichever the client prefers; JSON when it does not care. `_format` overrules the header.

    A browser, which takes any XML but only as a page, gets JSON. Raises NotAcceptable when neither will do.
    """
    if format_parameter is not None:
        return _by_format(format_parameter)
    if not accept:
        return FHIR_JSON
    ranges = _ranges(accept)
    json, xml = _quality(ranges, FHIR_JSON), _quality(ranges, FHIR_XML)
    if not json and not xml:
        raise NotAcceptable(f"None of the media types in Accept is offered; there are {FHIR_JSON} and {FHIR_XML}, 4.0.")
    browser = "text/html" in ranges and FHIR_XML not in ranges
    return FHIR_XML if xml > json and not (json and browser) else FHIR_JSON


def body_type(content_type: str | None) -> str:
    """FHIR_JSON or FHIR_XML, as the body is declared. Raises UnsupportedMediaType for any other."""
    name, options = parse_options_header(content_type or "")
    media = _MEDIA.get(name.lower())
    if media is None:
        raise UnsupportedMediaType(f"Send the resource as Content-Type: {FHIR_JSON} or {FHIR_XML}.")
    if options.get("charset", "utf-8").lower() not in _ENCODINGS[media]:
        raise UnsupportedMediaType(f"Send {media} as UTF-8: change the charset.")
    version = _version(options)
    if version not in _VERSIONS:
        raise UnsupportedMediaType(f"fhirVersion={version} is not offered; this server speaks FHIR 4.0.")
    return media


def names() -> frozenset[str]:
    """All media types that mean FHIR JSON or FHIR XML."""
    return frozenset(_MEDIA)


def native(request: Request) -> bool:
    """Whether a request may be answered in a form that is none of FHIR's: the content of a document."""
    path = request.view_args or {}
    shown = path.get("type") == "Binary" or request.path.endswith("/$render")
    return shown and request.method in ("GET", "HEAD") and "_format" not in request.args


def prefer(header: str | None) -> Prefer:
    """The preferences among those that FHIR defines; the first of each kind counts."""
    returns, lenient, asynchronous = None, None, False
    for part in re.split(r"[,;]", header or ""):
        name, _, value = part.strip().partition("=")
        value = value.strip().strip('"')
        if name.strip().lower() == "return" and value in _RETURNS and not returns:
            returns = value
        if name.strip().lower() == "handling" and lenient is None:
            lenient = value == "lenient"
        asynchronous = asynchronous or name.strip().lower() == "respond-async"
    return Prefer(returns, bool(lenient), asynchronous)


def if_match(header: str | None) -> int | None:
    """The version in `If-Match`, or None without the header. Raises BadRequest when it names no version."""
    if header is None:
        return None
    found = _ETAG.fullmatch(header.strip())
    if found is None:
        raise BadRequest('If-Match must hold one version, such as W/"3".')
    return int(found[1])


def expected(if_match_: str | None, if_none_match: str | None) -> int | None:
    """The version over which a write may be made: None for any, ABSENT for none at all (`If-None-Match: *`).

    Raises BadRequest for another `If-None-Match`, and for both headers.
    """
    if if_none_match is None:
        return if_match(if_match_)
    if if_none_match.strip() != "*":
        raise BadRequest("If-None-Match of an update must be *: only where nothing is stored yet.")
    if if_match_ is not None:
        raise BadRequest("Give If-Match or If-None-Match, not both.")
    return ABSENT


def none_match(header: str | None, version: int) -> bool:
    """Whether `If-None-Match` names this version (or any, with `*`)."""
    if header is None:
        return False
    tags = [tag.strip() for tag in header.split(",")]
    return "*" in tags or any((found := _ETAG.fullmatch(tag)) and int(found[1]) == version for tag in tags)


def _by_format(parameter: str) -> str:
    name, options = parse_options_header(parameter.replace("fhir ", "fhir+"))
    media = _FORMATS.get(name.lower())
    if media is None:
        raise NotAcceptable(f"_format={parameter} is not offered; this server answers in {FHIR_JSON} and {FHIR_XML}.")
    if _version(options) not in _VERSIONS:
        raise NotAcceptable(f"fhirVersion={_version(options)} is not offered; this server speaks FHIR 4.0.")
    return media


def _ranges(accept: str) -> dict[str, float]:
    """Media ranges of the header with their quality, without those of another version of FHIR."""
    ranges: dict[str, float] = {}
    for text, quality in parse_accept_header(accept):
        name, options = parse_options_header(text)
        if _version(options) in _VERSIONS:
            ranges.setdefault(name.lower(), quality)
    return ranges


def _quality(ranges: Mapping[str, float], media: str) -> float:
    """How welcome a media type is: by its own names if one is there, else by what takes it in (RFC 9110, 12.5.1)."""
    named = [ranges[name] for name in _NAMES[media] if name in ranges]
    if named:
        return max(named)
    return next((ranges[name] for name in _RANGES if name in ranges), 0.0)


def _version(options: Mapping[str, str]) -> str | None:
    return options.get("fhirversion", options.get("fhirVersion"))
