"""One write, and what rooms do around it: `writing` leads it through the steps of `app.STEPS`, in their order.

    receive     what was sent is refused, or given what the server says of it
    (judged by the rules of access)
    check       refused for what it would make of what is here
    settle      made what is stored; what it takes along is changed
    (stored)
    follow      what is kept beside it is brought up to date

and once for all writes of a transaction `closing`, before it is traced, and `committed`, when it is safe.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fhirserver import jsontext
from fhirserver.access import author_references
from fhirserver.rest import compartment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fhirserver.rest.exchange import Exchange
    from fhirserver.search import Index
    from fhirserver.store import Stored, Transaction

Resource = dict[str, Any]


@dataclass
class Write:
    """A create (`before` is None), an update, or a delete (`post` is None), as it is on its way.

    `document` (`DocumentReference/x`): what it belongs to. `derived`: the server made it of that document, nobody sent
    it. `given`: its search entries, where they are others than it says.
    """

    exchange: Exchange
    tx: Transaction
    type: str
    id: str
    before: Stored | None = None
    post: Resource | None = None
    document: str | None = None
    derived: bool = False
    given: Index | None = None
    owner: Stored | None = None
    """The document that it names as what it belongs to: in whose record it is judged."""
    pre: Resource | None = field(init=False)
    index: Index | None = field(init=False, default=None)
    """The search entries of `post`, from the time it was received."""
    identifiers: Mapping[str, tuple[str, ...]] = field(init=False, default_factory=dict)
    """National keys of the actors that `post` names as its authors."""

    def __post_init__(self) -> None:
        self.pre = None if self.before is None else jsontext.parse_object(self.before.body)

    @property
    def interaction(self) -> str:
        if self.post is None:
            return "delete"
        return "create" if self.before is None else "update"

    @property
    def resource(self) -> Resource:
        """What is to be stored; empty of a delete."""
        return self.post or {}

    @property
    def states(self) -> list[tuple[Resource, str | None]]:
        """What is there, and what is to be, each with whose record it is in."""
        found = [] if self.pre is None or self.before is None else [(self.pre, self.before.pat)]
        return found if self.post is None or self.index is None else [*found, (self.post, self.index.pat)]

    @property
    def acl(self) -> Mapping[str, Any]:
        """Of what is there."""
        return {} if self.before is None else self.before.acl

    @property
    def patient(self) -> str | None:
        """Whose record it is in; of what is deleted, was in."""
        if self.index is not None:
            return self.index.pat
        return None if self.before is None else self.before.pat

    def find(self) -> None:
        """Says by what `post` is found, and who its authors are. Raises Unprocessable, Conflict as `compartment`."""
        if self.post is None:
            return
        if self.given is not None:
            self.index = self.given
        elif self.before is None or self.pre is None:
            self.index = compartment.indexed(self.exchange, self.tx, self.post)
        else:
            self.index = compartment.changed(self.exchange, self.tx, self.post, self.pre, self.before.pat)
        self.identifiers = self.tx.identifiers(author_references(self.post))


class Step:
    """What a room does around one write; nothing, but for what it says. Each raises a FhirError for what is refused."""

    def __init__(self, write: Write) -> None:
        self.write = write

    def receive(self) -> None: ...

    def check(self) -> None: ...

    def settle(self) -> None: ...

    def follow(self, stored: Stored) -> None: ...

    @staticmethod
    def closing(exchange: Exchange, tx: Transaction, done: Sequence[Stored]) -> None: ...

    @staticmethod
    def committed(exchange: Exchange, done: Sequence[Stored]) -> None: ...
