"""patch and conditional patch (https://hl7.org/fhir/R4/http.html#patch).

A patched resource goes the way of an update: validated, judged as it was and as it becomes, stored with history, index
entries, policy and trace.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any, Final

from werkzeug.http import parse_options_header

from fhirserver import jsontext
from fhirserver.errors import BadRequest, Gone, NotFound, PreconditionFailed, UnsupportedMediaType
from fhirserver.rest import conditional, conforming, negotiate, patching, writing
from fhirserver.rest.documents.changes import DOCUMENT, require_metadata
from fhirserver.rest.read import unknown
from fhirserver.rest.tracing.step import require_changeable

if TYPE_CHECKING:
    from collections.abc import Callable

    from fhirserver.outcome import Issue
    from fhirserver.rest.answer import Answer
    from fhirserver.rest.exchange import Exchange
    from fhirserver.store import Stored, Transaction

    Change = Callable[[dict[str, Any]], dict[str, Any]]

JSON_PATCH: Final = "application/json-patch+json"
XML_PATCH: Final = "application/xml-patch+xml"
FORMATS: Final = (JSON_PATCH, XML_PATCH, negotiate.FHIR_JSON, negotiate.FHIR_XML)


def patch(exchange: Exchange, type: str, id: str) -> Answer:
    """Changes parts of a resource; with `If-Match`, only of the version that it names (412 otherwise)."""
    exchange.refuse_parameters()
    expected, change = _expected(exchange), _change(exchange)
    return _answered(exchange, lambda tx: patched(exchange, tx, type, id, change, expected))


def patch_where(exchange: Exchange, type: str) -> Answer:
    """Changes parts of the one resource that matches the criteria; 404 when none does, 412 when several do."""
    condition = conditional.of_params(exchange, type, exchange.params)
    expected, change = _expected(exchange), _change(exchange)

    def work(tx: Transaction) -> tuple[Stored, list[Issue]]:
        conditional.lock(tx, condition)
        return patched(exchange, tx, type, matching(tx, condition), change, expected)

    return _answered(exchange, work)


def matching(tx: Transaction, condition: conditional.Condition) -> str:
    """The id of the one resource that matches. Raises NotFound or PreconditionFailed."""
    found = conditional.only(tx, condition)
    if found is None:
        raise NotFound(f"Nothing matches {condition.text}.")
    return found.id


def patched(
    exchange: Exchange,
    tx: Transaction,
    type: str,
    id: str,
    change: Change,
    expected: int | None,
    *,
    also: frozenset[str] = frozenset(),
) -> tuple[Stored, list[Issue]]:
    """Stores the next version, changed, with what validation found; `also` names what may change of a document too.

    A document was held to its profile when it came, in the form in which it came: they know no other status than
    `current` and `superseded`, and no bytes that lie elsewhere. Of its metadata only R4 is asked.
    Raises NotFound, the same for hidden and absent, Gone, PreconditionFailed, and all that the change and an update do.
    """
    require_changeable(type)
    before = tx.view.read(type, id)
    if before is None:
        raise unknown(type, id)
    if before.deleted:
        raise Gone(f"{type}/{id} was deleted.")
    if expected is not None and before.version != expected:
        raise PreconditionFailed(f"{type}/{id} is no longer at version {expected}: read it again.")
    pre = jsontext.parse_object(before.body)
    after = conforming.received(change(pre), type, id)
    require_metadata(pre, after, also=also)
    conforming.refuse_conditional_references(exchange, after)
    findings = conforming.validated(exchange, after, profiles_bind=type != DOCUMENT)
    return writing.update(exchange, tx, after, id, before.version), findings


def of_resource(exchange: Exchange, resource: dict[str, Any]) -> Change:
    """The patch in an entry of a Bundle: Parameters, or a Binary that holds a JSON Patch or an XML Patch."""
    if resource.get("resourceType") == "Parameters":
        return lambda before: patching.fhirpath_patch(before, resource, exchange.services.definitions)
    media, content = of_binary(resource)
    return _of_content(exchange, media, content)


def of_binary(resource: dict[str, Any]) -> tuple[str, bytes]:
    """Media type and content of a Binary. Raises BadRequest when it is none, or holds no base64."""
    media, data = resource.get("contentType"), resource.get("data")
    if resource.get("resourceType") != "Binary" or not isinstance(media, str) or not isinstance(data, str):
        raise BadRequest("A patch in a Bundle is a Parameters resource, or a Binary with contentType and data.")
    try:
        return media, base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise BadRequest("Binary.data is not base64.", expression="Binary.data") from None


def _answered(exchange: Exchange, work: Callable[[Transaction], tuple[Stored, list[Issue]]]) -> Answer:
    findings: list[Issue] = []

    def stored(tx: Transaction) -> list[Stored]:
        nonlocal findings
        version, findings = work(tx)
        return [version]

    version = writing.commit(exchange, "patch", 200, stored)[0]
    return writing.answer(exchange, version, 200, findings)


def _expected(exchange: Exchange) -> int | None:
    writing.refuse_headers(exchange, "If-None-Exist", "If-None-Match", "If-Unmodified-Since")
    return negotiate.if_match(exchange.request.headers.get("If-Match"))


def _change(exchange: Exchange) -> Change:
    media = parse_options_header(exchange.request.headers.get("Content-Type") or "")[0].lower()
    if media in (JSON_PATCH, XML_PATCH):
        return _of_content(exchange, media, exchange.content())
    try:
        parameters = exchange.body()
    except UnsupportedMediaType:
        raise UnsupportedMediaType(f"Send a patch as Content-Type: {', '.join(FORMATS)}.") from None
    if parameters.get("resourceType") != "Parameters":
        raise BadRequest("A FHIRPath Patch is a Parameters resource.", expression="resourceType")
    return of_resource(exchange, parameters)


def _of_content(exchange: Exchange, media: str, content: bytes) -> Change:
    if media == XML_PATCH:
        return lambda before: patching.xml_patch(before, content, exchange.services.definitions)
    if media != JSON_PATCH:
        raise UnsupportedMediaType(f"A patch is {JSON_PATCH} or {XML_PATCH}, not {media}.")
    operations = jsontext.parse(content) if content.strip() else None

    def change(before: dict[str, Any]) -> dict[str, Any]:
        return jsontext.parse_object(jsontext.dump(patching.json_patch(before, operations)))

    return change
