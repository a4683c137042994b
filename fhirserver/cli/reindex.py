"""`fhirserver reindex`: has a running server index anew what it stores, and waits until it is done."""

from __future__ import annotations

import json
import re
import sys
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any, Final

from fhirserver.cli import Problem

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator
    from email.message import Message

_COUNT: Final = re.compile(r"(\d+) of about (\d+)")
_TIMEOUT: Final = 60


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--base", required=True, metavar="URL", help="FHIR base, such as http://127.0.0.1:8080/fhir")
    parser.add_argument("--token", required=True, metavar="T", help="bearer token of an operator")
    parser.add_argument("--type", action="append", default=[], metavar="TYPE", help="this resource type only")
    parser.add_argument("--parameter", action="append", default=[], metavar="CODE", help="types that have it only")


def run(options: argparse.Namespace) -> int:
    from tqdm import tqdm

    named = [("type", each) for each in options.type] + [("parameter", each) for each in options.parameter]
    body = {"resourceType": "Parameters", "parameter": [{"name": name, "valueCode": each} for name, each in named]}
    _, headers, _ = _asked("POST", f"{options.base.rstrip('/')}/$reindex", options.token, json.dumps(body).encode())
    status = headers["Content-Location"]
    with tqdm(unit="resource", file=sys.stderr, disable=None) as bar:
        for seen, total in _progress(status, options.token):
            bar.total, bar.n = max(total, seen), seen
            bar.refresh()
    _, _, content = _asked("GET", status, options.token)
    counts = {each["name"]: each["valueInteger"] for each in content["parameter"]}
    print(f"{counts['seen']} resources looked through, {counts['changed']} indexed anew")
    return 0


def _progress(status: str, token: str) -> Iterator[tuple[int, int]]:
    """Resources seen, of about how many, while the job goes on."""
    while True:
        code, headers, _ = _asked("GET", status, token)
        if code != 202:
            return
        found = _COUNT.search(headers.get("X-Progress", ""))
        if found:
            yield int(found[1]), int(found[2])
        time.sleep(min(float(headers.get("Retry-After", "1")), 1.0))


def _asked(method: str, url: str, token: str, body: bytes | None = None) -> tuple[int, Message, Any]:
    """Status, headers and JSON of an answer. Raises Problem for a refusal, and when there is no server."""
    sent = {"Authorization": f"Bearer {token}", "Content-Type": "application/fhir+json", "Prefer": "respond-async"}
    try:
        request = urllib.request.Request(url, body, sent, method=method)  # noqa: S310 - the user's own URL
        with urllib.request.urlopen(request, timeout=_TIMEOUT) as answer:  # noqa: S310
            content = answer.read()
            return answer.status, answer.headers, json.loads(content) if content else None
    except urllib.error.HTTPError as error:
        raise Problem(f"the server refuses: {_reason(error.read()) or f'HTTP {error.code}'}") from None
    except (urllib.error.URLError, OSError, ValueError) as error:
        raise Problem(f"the server cannot be reached: {error}") from None


def _reason(body: bytes) -> str:
    try:
        return "; ".join(str(each.get("diagnostics", "")) for each in json.loads(body)["issue"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return ""
