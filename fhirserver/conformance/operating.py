"""An operation of a TestScript as an HTTP request (testscript.html, "Operations").

The address is `url`; or else made of the base of the destination, the resource type, the target's id, the operation
and `params`, which are appended as they stand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import quote

from fhirserver.conformance.script import ScriptError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fhirserver.conformance.state import State

JSON, XML, FORM = "application/fhir+json", "application/fhir+xml", "application/x-www-form-urlencoded"
_MEDIA: Final = {"json": JSON, "xml": XML, "none": ""}
_METHODS: Final = {
    "read": "GET",
    "vread": "GET",
    "history": "GET",
    "search": "GET",
    "capabilities": "GET",
    "create": "POST",
    "batch": "POST",
    "transaction": "POST",
    "update": "PUT",
    "updateCreate": "PUT",
    "patch": "PATCH",
    "delete": "DELETE",
    "deleteCondSingle": "DELETE",
    "deleteCondMultiple": "DELETE",
}
"""Interactions; any other code is the name of an operation (`$code`): POST with a source, else GET."""
_SAFE: Final = "/:?#[]@!$&'()*+,;=%~-._|"


class Request(NamedTuple):
    method: str
    url: str
    headers: dict[str, str]
    content: bytes | None


class Server(NamedTuple):
    """A destination: its base without a trailing slash. `tokens`: bearer token by role, '' where no role is named."""

    base: str
    tokens: Mapping[str, str]


def request_of(operation: dict[str, Any], state: State, server: Server, role: str) -> Request:
    """Raises ScriptError for what cannot be done or is not supported."""
    code = str(operation.get("type", {}).get("code", ""))
    content_type = _media(operation.get("contentType", JSON), state)
    content = state.as_media(operation["sourceId"], content_type) if "sourceId" in operation else None
    method = str(operation.get("method") or _method(code, content)).upper()
    url = _url(operation, code, method, state, server)
    if code == "search" and method == "POST" and content is None:
        url, _, query = url.partition("?")
        content, content_type = query.encode(), FORM
    headers = {"Accept": _media(operation.get("accept", JSON), state) or "*/*"}
    if content is not None:
        headers["Content-Type"] = content_type
    token = server.tokens.get(role, "") if role else server.tokens.get("", "")
    if token:
        headers["Authorization"] = f"Bearer {token}"
    for each in operation.get("requestHeader", ()):
        headers[state.filled(each["field"])] = state.filled(each["value"])
    return Request(method, url, {name: value for name, value in headers.items() if value}, content)


def _media(code: str, state: State) -> str:
    return _MEDIA.get(code, code) if "$" not in code else state.filled(code)


def _method(code: str, content: bytes | None) -> str:
    return _METHODS.get(code) or ("GET" if content is None else "POST")


def _url(operation: dict[str, Any], code: str, method: str, state: State, server: Server) -> str:
    encode = bool(operation.get("encodeRequestUrl", True))
    if "url" in operation:
        url = state.filled(operation["url"])
        if not url.startswith(("http://", "https://")):
            url = f"{server.base}/{url.lstrip('/')}"
        return _encoded(url) if encode else url
    parts = [server.base, *_steps(operation, code, method, state)]
    params = state.filled(operation.get("params", ""))
    glue = "" if not params or params[0] in "/?" else "?" if "=" in params else "/"
    url = "/".join(each for each in parts if each) + glue + params
    return _encoded(url) if encode else url


def _steps(operation: dict[str, Any], code: str, method: str, state: State) -> list[str]:
    """What follows the base."""
    type_, target = operation.get("resource", ""), operation.get("targetId")
    id_, version = "", ""
    if target:
        type_, id_, version = _target(target, type_, state)
    elif code in ("update",) and "params" not in operation and "sourceId" in operation:
        found = state.resource(operation["sourceId"])
        type_, id_ = type_ or found.get("resourceType", ""), str(found.get("id", ""))
    elif code == "create" and not type_:
        type_ = str(state.resource(operation["sourceId"]).get("resourceType", ""))
    if code in ("batch", "transaction"):
        return []
    if code == "capabilities":
        return ["metadata"]
    if code == "search":
        return [type_, "_search" if method == "POST" else ""]
    if code == "vread":
        return [type_, id_, "_history", version] if target else [type_]
    if code == "history":
        return [type_, id_, "_history"]
    if code in _METHODS or not code:
        return [type_, id_]
    return [type_, id_, f"${code}"]


def _target(target: str, type_: str, state: State) -> tuple[str, str, str]:
    """Type, id and version of what an id means: a fixture that was created, or an answer with a resource in it."""
    message = state.message(target)
    if message is not None and (place := message.headers.get("location")):
        steps = place.split("?")[0].rstrip("/").split("/")
        if "_history" in steps:
            at = steps.index("_history")
            return type_ or steps[at - 2], steps[at - 1], steps[at + 1]
        return type_ or steps[-2], steps[-1], ""
    found = state.resource(target)
    if "id" not in found:
        raise ScriptError(f"the target {target!r} has no id")
    return type_ or found["resourceType"], str(found["id"]), str(found.get("meta", {}).get("versionId", ""))


def _encoded(url: str) -> str:
    return quote(url, safe=_SAFE)
