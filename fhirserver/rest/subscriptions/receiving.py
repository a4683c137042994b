"""What a write of a Subscription does: read strictly, given its status, and kept with who is to be told, as whom.

https://hl7.org/fhir/R4/subscription.html: the server says the status. One of R4 is active at once; one by topic when
its endpoint has answered a handshake. Whatever its owner writes begins anew with it, but the count of events goes on.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from fhirserver.access import Requester, require, subscriber
from fhirserver.auth.fetching import refusal
from fhirserver.errors import Unprocessable
from fhirserver.store.envelope import instant
from fhirserver.store.subscribers import SILENT
from fhirserver.subscriptions import audience
from fhirserver.subscriptions.criteria import compiled
from fhirserver.subscriptions.plan import planned

if TYPE_CHECKING:
    from fhirserver.rest.exchange import Exchange
    from fhirserver.rest.services import Services
    from fhirserver.search import Query
    from fhirserver.store import Stored, Transaction
    from fhirserver.subscriptions.plan import Wanted

Resource = dict[str, Any]

OFF: Final = "off"
MOST: Final = 100
"""Subscriptions of one subscriber that are on."""


def received(exchange: Exchange, resource: Resource) -> Resource:
    """A Subscription as it is stored, with the status that is the server's to say; of anything else, what it is.

    Raises Unprocessable for what is not carried out here, BadRequest for criteria that are no search, Forbidden where
    the token's scopes do not let search what is wanted.
    """
    kept = {name: value for name, value in resource.items() if name != "error"}
    if resource["status"] == OFF:
        return kept
    plan = planned(resource)
    problem = refusal(plan.endpoint, production=exchange.services.settings.environment == "production")
    if problem:
        raise Unprocessable(f"The endpoint cannot be used: {problem}.", expression="Subscription.channel.endpoint")
    for each in plan.wanted:
        compile_(exchange.services, each)
        require(exchange.access.requester, each.type, "s")
    return {**kept, "status": "requested" if plan.topic else "active"}


def recorded(exchange: Exchange, tx: Transaction, stored: Stored, resource: Resource) -> None:
    """Keeps beside a Subscription that was stored what it asks for, and as whom it is judged. Raises Unprocessable for
    one too many."""
    rows, who = tx.subscribers, exchange.access.requester
    known, owner = rows.find(stored.id), subscriber.key(who)
    mine = known is None or known["owner"] == owner
    judged = who if known is None or mine else Requester.written(known["who"])
    facts: dict[str, Any] = {**SILENT, "version": stored.version, "live": resource["status"] != OFF}
    if facts["live"]:
        plan = planned(resource)
        facts |= {
            "plan": plan.described(),
            "due": datetime.now(UTC),
            "shook": not plan.topic,
            "status": resource["status"],
            "types": sorted({each.type for each in plan.wanted}),
            "hears": audience.of_subscriber((compile_(exchange.services, each) for each in plan.wanted), judged),
            "host": urlsplit(plan.endpoint).netloc,
        }
    else:
        rows.empty(stored.id)
    if mine:
        facts |= {"owner": owner, "who": who.described(), "grant": exchange.grant}
    if facts["live"] and who.kind != "operator" and rows.count(owner, besides=stored.id) >= MOST:
        raise Unprocessable(f"{MOST} Subscriptions are the most: end some.", code="too-costly")
    if known is None or not known["live"] or known["plan"]["wanted"] != facts.get("plan", {}).get("wanted"):
        facts["since"] = instant(exchange.access.now)
    rows.keep(stored.id, **facts)


def compile_(services: Services, wanted: Wanted) -> Query:
    """The query of criteria, as searches are read now. Raises Unprocessable, BadRequest."""
    return compiled(services.in_force.to_search, wanted, timezone=services.settings.timezone, base_url=services.base)
