from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from fhirserver.access import Requester
from fhirserver.auth import tokens
from tests.portal.record.visiting import holder, logged_in, professional
from tests.rest.messages.people import ALICE, BOB, House

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.portal.browser import Browser


class Visitors:
    """Who visits the pages of messages about one record."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.url = f"/dossier/{house.patient}/messages"
        self.claire = self._browser(holder(house.patient))
        scopes = tokens.DEFAULT_SCOPES["representative"]
        mother = Requester(
            "representative", f"RelatedPerson/{house.mother}", patient=house.patient, purpose="PATRQT", scopes=scopes
        )
        self.parent = self._browser(mother)
        self.alice = self._browser(professional(ALICE))
        self.bob = self._browser(professional(BOB))

    def _browser(self, who: Requester) -> Browser:
        return logged_in(self.house.application, who)


@pytest.fixture(scope="module")
def visitors(applications: Callable[..., Any]) -> Iterator[Visitors]:
    with applications("french") as application:
        house = House(application)
        team = {"member": {"identifier": {"system": "https://rpps.esante.gouv.fr", "value": ALICE}}}
        other = {"member": {"identifier": {"system": "https://rpps.esante.gouv.fr", "value": BOB}}}
        house.operator.create({
            "resourceType": "CareTeam", "status": "active", "subject": house.person, "participant": [team, other],
        })  # fmt: skip
        yield Visitors(house)
