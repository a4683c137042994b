"""Who asks, and when."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fhirserver.access.keys import EVERYONE, local

if TYPE_CHECKING:
    from collections.abc import Mapping

KINDS: Final = ("operator", "patient", "representative", "practitioner", "system")
PERSONS: Final = ("patient", "representative")
"""The person's own side."""


class Delegate(NamedTuple):
    """Staff acting under a professional's responsibility: `id` as the issuer knows them, `rpps` if they have one."""

    id: str
    rpps: str | None = None
    name: str | None = None


@dataclass(frozen=True)
class Requester:
    """Whom a verified token stands for.

    `patient` is the holder (for a patient), the person represented, or the patient that an app was launched for.
    `rpps` 11 digits; `profession` a TRE_G15 code, `G15_10` or `G15_10/SM26`; `organization` a FINESS number;
    `purpose` a code of v3-PurposeOfUse; `scopes` as in SMART App Launch 2. `reason`: why the glass is broken; `issued`:
    when the token of an emergency was (seconds since 1970). `delegate`: who acts in a practitioner's place; the right
    is the practitioner's, but whom the person blocked by number is blocked in another's place too.
    """

    kind: str
    id: str
    patient: str | None = None
    rpps: str | None = None
    profession: str | None = None
    organization: str | None = None
    client: str | None = None
    purpose: str = "TREAT"
    scopes: tuple[str, ...] = ()
    name: str | None = None
    reason: str | None = None
    issued: int | None = None
    delegate: Delegate | None = None

    @property
    def is_person(self) -> bool:
        """Whether it is the person's own side: the holder, or who represents him."""
        return self.kind in PERSONS

    def described(self) -> dict[str, Any]:
        """The requester as it is kept: plain values by field."""
        return asdict(self) | {"scopes": list(self.scopes), "delegate": self.delegate and list(self.delegate)}

    @classmethod
    def written(cls, described: Mapping[str, Any]) -> Requester:
        """The requester who was `described`."""
        delegate = described["delegate"] and Delegate(*described["delegate"])
        return cls(**{**described, "scopes": tuple(described["scopes"]), "delegate": delegate})

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"{self.kind!r} is no kind of requester")
        if self.delegate is not None and self.kind != "practitioner":
            raise ValueError("only a practitioner has somebody act in his place")

    @cached_property
    def own(self) -> frozenset[str]:
        """The keys under which he deposits: the person, and the organisation he acts for. No profession."""
        found = []
        if self.kind == "practitioner":
            found += [f"rpps|{self.rpps}"] if self.rpps else []
            found += ["/".join(place)] if (place := local(self.id)) and place[0].startswith("Practitioner") else []
        if self.kind in ("practitioner", "system") and self.organization:
            found.append(f"finess|{self.organization}")
        if self.kind == "system" and self.client:
            found.append(f"client|{self.client}")
        if self.kind == "patient" and self.patient:
            found.append(f"patient|{self.patient}")
        if self.kind == "representative":
            found.append(f"related|{self.id.rpartition('/')[2]}")
        return frozenset(found)

    @cached_property
    def keys(self) -> frozenset[str]:
        """Every key by which a policy may mean him."""
        found = set(self.own)
        if self.kind == "practitioner" and self.profession:
            found |= {f"profession|{self.profession}", f"profession|{self.profession.partition('/')[0]}"}
        return frozenset(found)

    @cached_property
    def meant(self) -> frozenset[str]:
        """`keys`, and everyone for a professional: who is meant where nobody in particular is."""
        return self.keys | {EVERYONE} if self.kind in ("practitioner", "system") else self.keys

    @cached_property
    def named(self) -> frozenset[str]:
        """Every key by which a policy may concern the request: `meant`, and the number of who acts in his place."""
        if self.delegate is None or self.delegate.rpps is None:
            return self.meant
        return self.meant | {f"rpps|{self.delegate.rpps}"}


@dataclass(frozen=True)
class Access:
    """A requester at a moment (aware, UTC): all that the rules need to know of a request.

    `letters`: what he is about to do, of those that scopes grant: `r` by id, `s` a search; reading, if both.
    """

    requester: Requester
    now: datetime
    reason: str | None = None
    letters: str = "rs"

    def to(self, letters: str) -> Access:
        """The same, about to do something else."""
        return self if letters == self.letters else replace(self, letters=letters)

    @classmethod
    def of(cls, requester: Requester, now: datetime) -> Access:
        """The access of whom a token stands for."""
        return cls(requester, now.astimezone(UTC))

    @classmethod
    def system(cls, reason: str, now: datetime | None = None) -> Access:
        """The server's own trusted work; the reason goes to the trace."""
        worker = Requester(kind="operator", id=f"system:{reason}", scopes=("system/*.cruds",), purpose="HSYSADMIN")
        return cls(worker, now or datetime.now(UTC), reason)
