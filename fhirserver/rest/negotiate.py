"""Media types, `Prefer` and entity tags, strictly."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from werkzeug.http import parse_accept_header, parse_options_header

from fhirserver.errors import BadRequest, NotAcceptable, UnsupportedMediaType

FHIR_JSON: Final = "application/fhir+json"
JSON_TYPES: Final = frozenset({FHIR_JSON, "application/json", "text/json"})
_JSON_FORMATS: Final = JSON_TYPES | {"json"}
_JSON_RANGES: Final = JSON_TYPES | {"*/*", "application/*", "text/*"}
_RETURNS: Final = ("minimal", "representation", "OperationOutcome")
_ETAG: Final = re.compile(r'(?:W/)?"([1-9][0-9]{0,17})"')


class Prefer(NamedTuple):
    """https://hl7.org/fhir/R4/http.html#ops and RFC 7240: what is not understood is ignored."""

    returns: str | None = None
    lenient: bool = False


def require_json_answer(accept: str | None, format_parameter: str | None) -> None:
    """Raises NotAcceptable unless the client takes FHIR JSON; `_format` overrules the header."""
    if format_parameter is not None:
        media, options = parse_options_header(format_parameter.replace(" ", "+"))
        if media.lower() not in _JSON_FORMATS:
            raise NotAcceptable(f"_format={format_parameter} is not offered; this server answers in {FHIR_JSON}.")
        _require_version(options.get("fhirversion", options.get("fhirVersion")))
        return
    if not accept:
        return
    for text, quality in parse_accept_header(accept):
        media, options = parse_options_header(text)
        if quality > 0 and media.lower() in _JSON_RANGES:
            _require_version(options.get("fhirversion", options.get("fhirVersion")))
            return
    raise NotAcceptable(f"None of the media types in Accept is offered; this server answers in {FHIR_JSON}.")


def require_json_body(content_type: str | None) -> None:
    """Raises UnsupportedMediaType unless the body is declared as FHIR JSON in UTF-8."""
    media, options = parse_options_header(content_type or "")
    if media.lower() not in JSON_TYPES:
        raise UnsupportedMediaType(f"Send the resource as Content-Type: {FHIR_JSON}.")
    if options.get("charset", "utf-8").lower() not in ("utf-8", "utf8"):
        raise UnsupportedMediaType("FHIR JSON is always UTF-8: change the charset.")
    version = options.get("fhirversion", options.get("fhirVersion"))
    if version not in (None, "4.0", "4.0.1"):
        raise UnsupportedMediaType(f"fhirVersion={version} is not offered; this server speaks FHIR 4.0.")


def prefer(header: str | None) -> Prefer:
    """The preferences among those that FHIR defines; the first of each kind counts."""
    returns, lenient = None, None
    for part in re.split(r"[,;]", header or ""):
        name, _, value = part.strip().partition("=")
        value = value.strip().strip('"')
        if name.strip().lower() == "return" and value in _RETURNS and not returns:
            returns = value
        if name.strip().lower() == "handling" and lenient is None:
            lenient = value == "lenient"
    return Prefer(returns, bool(lenient))


def if_match(header: str | None) -> int | None:
    """The version in `If-Match`, or None without the header. Raises BadRequest when it names no version."""
    if header is None:
        return None
    found = _ETAG.fullmatch(header.strip())
    if found is None:
        raise BadRequest('If-Match must hold one version, such as W/"3".')
    return int(found[1])


def none_match(header: str | None, version: int) -> bool:
    """Whether `If-None-Match` names this version (or any, with `*`)."""
    if header is None:
        return False
    tags = [tag.strip() for tag in header.split(",")]
    return "*" in tags or any((found := _ETAG.fullmatch(tag)) and int(found[1]) == version for tag in tags)


def _require_version(version: str | None) -> None:
    if version not in (None, "4.0", "4.0.1"):
        raise NotAcceptable(f"fhirVersion={version} is not offered; this server speaks FHIR 4.0.")
