"""`$audit-verify`: has the chains of traces verified in the background, and tells what the last verification found.

For operators. It is what `fhirserver audit verify` does by hand; anchors that the server wrote down are asked for.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from fhirserver.access import Access, require
from fhirserver.audit import Event, erasures, lasting, verify
from fhirserver.clock import to_instant
from fhirserver.errors import Conflict, FhirError, Forbidden
from fhirserver.rest.answer import Answer, of_value
from fhirserver.rest.jobs import asking
from fhirserver.rest.parameters import received_as

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from fhirserver.audit import Fault
    from fhirserver.rest.exchange import Exchange
    from fhirserver.rest.services import Services
    from fhirserver.store import Lease, Register

KIND: Final = "audit-verify"
REGISTER: Final = "verifications"
_LAST: Final = "last"
_MOST: Final = 100
"""Faults, and chains, that are told one by one."""
_OFTEN: Final = 5000
"""Records after which it is told how far it is."""
_QUERY: Final = "$audit-verify"


def audit_verify(exchange: Exchange) -> Answer:
    """`POST`: 202, and where to ask; 409 while one is under way. `GET`: Parameters of the last one, and of that one."""
    if exchange.access.requester.kind != "operator":
        raise Forbidden("The trace is verified by operators.")
    require(exchange.access.requester, "AuditEvent", "r")
    received_as(exchange, ())
    services = exchange.services
    job = services.store.jobs.latest(KIND)
    running = job if job is not None and job.state == "open" else None
    if exchange.request.method == "POST":
        if running is not None:
            raise Conflict("A verification is under way: wait for its end.")
        return asking.begin(exchange, KIND, {}, Event("operation", 202, query=_QUERY))[1]
    told: list[dict[str, Any]] = [{"name": "running", "valueBoolean": running is not None}]
    if running is not None:
        told.append({"name": "progress", "valueString": running.told})
    elif job is not None and job.state == "failed":
        told.append({"name": "failed", "valueInstant": to_instant(job.at)})
    told += _told(_rows(services).find(_LAST, datetime.now(UTC)) or {})
    return of_value(200, {"resourceType": "Parameters", "parameter": told}, Event("operation", 200, query=_QUERY))


def carry_out(services: Services, lease: Lease) -> Mapping[str, Any]:
    """The result: counts of `records`, `chains`, `anchors` and `faults`; kept for whoever asks later."""
    access = Access.system("audit verify", services.clock())
    store, named, began = services.store, _named(services.settings.anchor_file), services.clock()
    sealed = erasures.sealed(services.derive(erasures.PURPOSE))
    now = max(datetime.now(UTC), began)
    seen = _Seen(lease)

    def verified() -> Iterator[Fault]:
        landmarks = store.landmarks(access)
        seen.anew(landmarks)
        return verify(seen.of(store.traces(access)), landmarks, named or (), sealed, now)

    faults = lasting(verified)
    counts = {"records": seen.records, "chains": len(seen.chains), "anchors": seen.anchors, "faults": len(faults)}
    told = [each._asdict() for each in faults[:_MOST]]
    longest = sorted(seen.chains.items(), key=lambda each: (-each[1], each[0]))[:_MOST]
    row = {**counts, "began": began, "ended": services.clock(), "anchored": seen.anchored, "told": told}
    row["longest"] = [{"chain": chain, "n": count} for chain, count in longest]
    _rows(services).put(_LAST, row | {"named": None if named is None else len(named)})
    return counts


class _Seen:
    """What goes by while it is verified."""

    def __init__(self, lease: Lease) -> None:
        self._lease = lease
        self.anew(())

    def anew(self, landmarks: Iterable[Mapping[str, Any]]) -> None:
        self.records, self.chains = 0, dict[str, int]()
        told = (each.get("at") for each in landmarks if each.get("what") == "anchor")
        found = [each for each in told if isinstance(each, datetime)]
        self.anchors, self.anchored = len(found), max(found, default=None)

    def of(self, records: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        for record in records:
            self.records += 1
            chain = str(record.get("chain"))
            self.chains[chain] = self.chains.get(chain, 0) + 1
            if self.records % _OFTEN == 0:
                self._lease.check()
                self._lease.save({}, f"{self.records} records")
            yield record


def _told(row: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The last one: `began`, `ended`, counts, `anchored` (when last), `named` (anchors in the file), `chain`s, the
    longest first, `fault`s."""
    if not row:
        return []
    told: list[dict[str, Any]] = [{"name": each, "valueInstant": to_instant(row[each])} for each in ("began", "ended")]
    told += [{"name": each, "valueInteger": row[each]} for each in ("records", "chains", "anchors", "faults")]
    if row["anchored"] is not None:
        told.append({"name": "anchored", "valueInstant": to_instant(row["anchored"])})
    if row["named"] is not None:
        told.append({"name": "named", "valueInteger": row["named"]})
    for each in row["longest"]:
        part = [{"name": "name", "valueString": each["chain"]}, {"name": "records", "valueInteger": each["n"]}]
        told.append({"name": "chain", "part": part})
    for each in row["told"]:
        part = [
            {"name": "chain", "valueString": each["chain"]},
            {"name": "record", "valueInteger": each["n"]},
            {"name": "text", "valueString": each["text"]},
        ]
        told.append({"name": "fault", "part": part})
    return told


def _named(file: str) -> list[str] | None:
    """The anchors that the server wrote down; None where it writes none, or has written none yet. Raises FhirError."""
    if not file or not Path(file).exists():
        return None
    try:
        lines = Path(file).read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError):
        raise FhirError("The file of anchors cannot be read.") from None
    return [each for each in lines if each.strip()]


def _rows(services: Services) -> Register:
    return services.store.register(REGISTER)
