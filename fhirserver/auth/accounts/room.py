"""All that belongs to accounts, connected, for one server."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from fhirserver.auth.accounts.account import Accounts
from fhirserver.auth.accounts.devices import Devices
from fhirserver.auth.accounts.enrolment import Enrolments
from fhirserver.auth.accounts.factors import Site
from fhirserver.auth.accounts.invitations import Invitations
from fhirserver.auth.accounts.letters import Letters
from fhirserver.auth.accounts.login import Logins
from fhirserver.auth.accounts.passwords import Passwords
from fhirserver.auth.accounts.people import People
from fhirserver.auth.accounts.post import Post
from fhirserver.auth.accounts.recovery import Resets
from fhirserver.auth.accounts.secretly import Secrets
from fhirserver.auth.accounts.takeover import TakeOver
from fhirserver.mail import gateway_of, mailer_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from fhirserver.auth.accounts.invitations import Over
    from fhirserver.clock import Clock
    from fhirserver.settings import Settings
    from fhirserver.spec import Definitions
    from fhirserver.store import Store


class AccountRoom:
    """`root`: the server's public address, without `/fhir`. `over`: when a provisional code is void (`invitations`)."""

    def __init__(
        self,
        store: Store,
        definitions: Definitions,
        settings: Settings,
        derive: Callable[[str], bytes],
        clock: Clock,
        root: str,
        over: Over,
    ) -> None:
        self._store, self.clock = store, clock
        self.accounts, self.devices = Accounts(store), Devices(store)
        self.passwords, self.secrets = Passwords.of(settings), Secrets(derive)
        self.people = People(store, definitions, clock)
        self.post = Post(mailer_of(settings), gateway_of(settings))
        self.site = Site(root)
        self.invitations = Invitations(store, self.secrets, self.people, self.post, clock, root, over)
        self.enrolments = Enrolments(store, self.secrets, self.post)

    @cached_property
    def logins(self) -> Logins:
        return Logins(self._store, self.accounts, self.passwords, self.secrets, self.devices, self.post, self.site)

    @cached_property
    def letters(self) -> Letters:
        return Letters(self._store, self)

    @cached_property
    def take_over(self) -> TakeOver:
        return TakeOver(self._store, self)

    @cached_property
    def resets(self) -> Resets:
        return Resets(self._store, self.accounts, self.secrets, self.post)
