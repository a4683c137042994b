"""The forms in which one request can be sent: JSON or XML, GET or POST, by itself or in a batch."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import parse_qsl, urlencode

from fhirserver import xmltext
from fhirserver.spec import Definitions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.application import Answer, Caller

XML: Final = "application/fhir+xml"
FORM: Final = "application/x-www-form-urlencoded"
CONDITIONS: Final = {
    "If-Match": "ifMatch", "If-None-Match": "ifNoneMatch", "If-Modified-Since": "ifModifiedSince",
    "If-None-Exist": "ifNoneExist",
}  # fmt: skip
_INTEGERS: Final = ("_count", "max")


class Request(NamedTuple):
    """`url` below the base; `body` a resource."""

    url: str
    method: str = "GET"
    body: dict[str, Any] | None = None
    headers: Mapping[str, str] = {}


class Told(NamedTuple):
    """What one request was answered: `raw` as it came (with the batch around it), the rest of the request itself."""

    raw: Answer
    status: int
    value: Any

    @property
    def total(self) -> int:
        return int(self.value["total"])

    @property
    def ids(self) -> list[str]:
        return [each["fullUrl"].rpartition("/")[2] for each in self.value.get("entry", ()) if "fullUrl" in each]

    @property
    def text(self) -> str:
        return json.dumps(self.value, ensure_ascii=False)

    def next(self) -> str | None:
        """The query of the next page, with its path."""
        links = [each["url"] for each in self.value.get("link", ()) if each["relation"] == "next"]
        return links[0].partition("/fhir/")[2] if links else None


class Form:
    """One form. `why_not` says why a request cannot be sent so; empty: it can."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.xml = name.endswith("xml")
        self.batch = name.startswith("batch")
        self.post = name == "post"

    def why_not(self, request: Request) -> str:
        """`where` searches and operations of several ways have a POST; in a batch a request has the headers of R4."""
        if self.post and request.method != "GET":
            return "is no GET"
        if self.post and not _has_post(request.url):
            return "has no form by POST"
        if self.batch and request.method == "HEAD":
            return "a Bundle knows no HEAD"
        if self.batch and any(name not in CONDITIONS for name in request.headers):
            return "an entry has no such header"
        if self.batch and request.body is not None and request.body.get("resourceType") == "Bundle":
            return "a Bundle within a Bundle"
        return ""

    def send(self, who: Caller, request: Request) -> Told:
        if self.batch:
            return self._batched(who, request)
        headers, body = dict(request.headers), request.body
        method, url = request.method, request.url
        if self.xml:
            headers["Accept"] = XML
        if self.post:
            return _told(_posted(who, url, headers))
        if self.xml and body is not None:
            return _told(who.call(method, url, _written(body), headers | {"Content-Type": XML}))
        return _told(who.call(method, url, body, headers))

    def _batched(self, who: Caller, request: Request) -> Told:
        asked = {CONDITIONS[name]: value for name, value in request.headers.items()}
        if "ifModifiedSince" in asked:
            asked["ifModifiedSince"] = (
                "2095-01-01T00:00:00Z" if "2095" in asked["ifModifiedSince"] else "2001-01-01T00:00:00Z"
            )
        entry: dict[str, Any] = {"request": {"method": request.method, "url": request.url, **asked}}
        if request.body is not None:
            entry["resource"] = request.body
        bundle = {"resourceType": "Bundle", "type": "batch", "entry": [entry]}
        if self.xml:
            raw = who.call("POST", "", _written(bundle), {"Accept": XML, "Content-Type": XML})
        else:
            raw = who.call("POST", "", bundle)
        outer = _told(raw)
        if raw.status != 200:
            return outer
        (made,) = outer.value["entry"]
        response = made["response"]
        return Told(raw, int(response["status"][:3]), made.get("resource") or response.get("outcome"))


FORMS: Final = tuple(Form(name) for name in ("json", "xml", "post", "batch", "batch-xml"))


def _has_post(url: str) -> bool:
    path = url.partition("?")[0]
    last = path.rpartition("/")[2]
    if last.startswith("$"):
        return last not in ("$lastn", "$job-status", "$document")
    parts = path.split("/")
    return "_history" not in parts and parts[-1][:1].isupper() and len(parts) in (1, 3) and path != ""


def _posted(who: Caller, url: str, headers: dict[str, str]) -> Answer:
    path, _, query = url.partition("?")
    pairs = parse_qsl(query, keep_blank_values=True)
    if path.rpartition("/")[2].startswith("$"):
        parameters = [
            {"name": name, "valueInteger": int(value)} if name in _INTEGERS else {"name": name, "valueString": value}
            for name, value in pairs
        ]
        body: dict[str, Any] = {"resourceType": "Parameters"}
        return who.call("POST", path, body | ({"parameter": parameters} if parameters else {}), headers)
    return who.call("POST", f"{path}/_search", urlencode(pairs).encode(), headers | {"Content-Type": FORM})


def _written(body: dict[str, Any]) -> bytes:
    return xmltext.dump(body, Definitions.french())


def _told(raw: Answer) -> Told:
    value: Any = None
    if raw.content and raw.headers.get("content-type", "").startswith(XML):
        value = xmltext.parse(raw.content, Definitions.french())
    elif raw.content:
        value = raw.json
    return Told(raw, raw.status, value)
