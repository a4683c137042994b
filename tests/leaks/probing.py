"""What probes are made of: a request in some form, and what must hold of its answers."""

from __future__ import annotations

import json
import re
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

from tests.leaks.forms import Request
from tests.leaks.test_twin import same
from tests.leaks.world import ABSENT, HIDDEN, alike

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.application import Answer, Application, Caller
    from tests.leaks.forms import Form, Told
    from tests.leaks.test_twin import Twins
    from tests.leaks.world import World

SOME = tuple(HIDDEN[each] for each in (0, 2, 6, 7, 12))
"""Hidden by a block, for want of a basis and deleted, a person, a masked document, its Binary; of all: `test_by_id`."""
PATCH: dict[str, Any] = {
    "resourceType": "Parameters",
    "parameter": [{"name": "operation", "part": [
        {"name": "type", "valueCode": "replace"}, {"name": "path", "valueString": "Observation.status"},
        {"name": "value", "valueCode": "amended"},
    ]}],
}  # fmt: skip


class Probing:
    """The twins asked in one form. What a request stores is taken back by `forget`."""

    def __init__(self, form: Form, twins: Twins) -> None:
        self.form, self.twins = form, twins
        self.world: World = twins.pair[0]
        self.server: Application = self.world.application
        self.alice: Caller = self.world.alice

    def ask(self, who: Caller, url: str, method: str = "GET", body: Any = None, **headers: str) -> Told:
        return self.form.send(who, _request(url, method, body, headers))

    def same(self, url: str, method: str = "GET", body: Any = None, **headers: str) -> Told:
        """Alice's answer, which is that of the server that never held what is hidden."""
        request = _request(url, method, body, headers)
        found: list[Told] = []

        def look(who: Caller) -> Answer:
            found.append(self.form.send(who, request))
            return found[-1].raw

        first, second = self.twins.ask(look)
        same(first, second)
        return found[0]

    def absent(self, url: str, id: str, method: str = "GET", body: Any = None, **headers: str) -> Told:
        """Alice's answer about a hidden id: that about one that never was, and in JSON that of the other server."""
        assert id in url or id in json.dumps(body) or any(id in each for each in headers.values())
        assert len(id) == len(ABSENT)
        ask = self.same if self.form.name == "json" else partial(self.ask, self.alice)
        told = ask(url, method, body, **headers)
        other = json.loads(json.dumps(body).replace(id, ABSENT)) if body is not None else None
        never = self.ask(self.alice, url.replace(id, ABSENT), method, other,
                         **{name: value.replace(id, ABSENT) for name, value in headers.items()})  # fmt: skip
        self.forget(never)
        self.forget(told)
        alike(_bare(told.raw), _bare(never.raw), id)
        return told

    def pages(self, url: str) -> list[list[str]]:
        """The ids of each page, of both servers alike."""
        told = self.same(url)
        pages = [told.ids]
        while (link := told.next()) is not None:
            told = self.ask(self.alice, link)
            pages.append(told.ids)
        return pages

    def forget(self, told: Told) -> None:
        """Deletes in both servers what was made."""
        resource = told.value if isinstance(told.value, dict) else {}
        if told.status == 201 and resource.get("id"):
            for world in self.twins.pair:
                world.operator.delete(f"{resource['resourceType']}/{resource['id']}")


class Probe(NamedTuple):
    """`number` as the list of leaks has it; `without`: forms that it does not have, with the reason."""

    number: int
    about: str
    check: Callable[[Probing], None]
    without: Mapping[str, str] = MappingProxyType({})


def where(url: str, **params: str) -> str:
    """A URL with parameters."""
    return url + "?" + "&".join(f"{name}={quote(value, safe=':/|,$')}" for name, value in params.items())


def _request(url: str, method: str, body: Any, headers: dict[str, str]) -> Request:
    return Request(url, method, body, {name.replace("_", "-"): value for name, value in headers.items()})


def _bare(answer: Answer) -> Answer:
    """Without the ids that the server makes up."""
    content = re.sub(rb"made-\d{6}|[0-9a-f]{8}-[0-9a-f-]{27}", b"MADE", answer.content)
    headers = {
        name: re.sub(r"made-\d{6}|[0-9a-f]{8}-[0-9a-f-]{27}", "MADE", value) for name, value in answer.headers.items()
    }
    if b"MADE" in content:
        headers.pop("content-length", None)
    return answer._replace(content=content, headers=headers)
