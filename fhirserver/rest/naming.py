"""What a write names: who can be recognised, whose number it is, what is here."""

from __future__ import annotations

from typing import Final

from fhirserver.access import problems
from fhirserver.errors import Unprocessable
from fhirserver.rest import references
from fhirserver.rest.documents import identity
from fhirserver.rest.steps import Step

_ACTORS: Final = ("Practitioner/", "PractitionerRole/", "Organization/")


class KnownActors(Step):
    """A person who blocks or lets in somebody must be told when nobody can be recognised by what the Consent names."""

    def check(self) -> None:
        exchange, post = self.write.exchange, self.write.post
        if post is None or self.write.type != "Consent" or not exchange.access.requester.is_person:
            return
        named = {text for text in references.literal(exchange.services.definitions, post) if text.startswith(_ACTORS)}
        found = [issue for issue in problems(post, self.write.tx.identifiers(named)) if issue.is_error]
        if found:
            raise Unprocessable("The Consent names somebody who cannot be recognised.", issues=found)


class OwnNumbers(Step):
    """Of several active records, one bears an INS."""

    def check(self) -> None:
        if self.write.post is not None:
            identity.require_own_number(
                self.write.exchange, self.write.tx, self.write.post, self.write.id, self.write.pre
            )


class Targets(Step):
    """With referential integrity on, each literal reference must lead to what the requester sees: hidden is absent."""

    def check(self) -> None:
        write, services = self.write, self.write.exchange.services
        if not services.settings.referential_integrity or write.derived or write.post is None:
            return
        for text in references.literal(services.definitions, write.post):
            type, _, id = text.removeprefix(services.base + "/").partition("/_history/")[0].partition("/")
            known = type not in services.definitions.resource_types or f"{type}/{id}" in write.tx.coming
            target = None if known or not id else write.tx.view.read(type, id)
            if not known and id and (target is None or target.deleted):
                raise Unprocessable(f"The reference {text} leads to nothing here.", code="not-found")
