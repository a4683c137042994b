"""Images of whom one may not read are answered as those of what never existed, by the API and by the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.application import Application, applications, embedded_uri
from tests.imaging.serving import running, study
from tests.portal.record.visiting import holder, logged_in, professional, representative
from tests.records import care_team, patient

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from tests.imaging.serving import Faulty

__all__ = ["applications", "embedded_uri"]

RPPS, STRANGER, BLOCKED = "10000000018", "10000000026", "10000000034"
INS = "284027505600134"
VISIBILITY = "https://mos.esante.gouv.fr/NOS/TRE_A07-StatutVisibiliteDocument/FHIR/TRE-A07-StatutVisibiliteDocument"


class House:
    def __init__(self, application: Application, pacs: Faulty) -> None:
        self.app, self.pacs = application.under(dicomweb_url=pacs.url), pacs
        operator = self.app.operator()
        made = patient(identifier=[{"system": "urn:x", "value": INS}], birthDate="2015-01-01")
        self.child, self.other = operator.create(made), operator.create(patient(birthDate="1980-01-01"))
        team = care_team(self.child)
        rpps = "https://rpps.esante.gouv.fr"
        named = [{"member": {"identifier": {"system": rpps, "value": each}}} for each in (RPPS, BLOCKED)]
        operator.create(team | {"participant": named})
        parent = {"resourceType": "RelatedPerson", "active": True, "patient": {"reference": f"Patient/{self.child}"}}
        self.parent = operator.create(parent)
        self.system = self.app.system("750000001")
        self.plain = self.system.create(study(self.child))
        self.masked = self.system.create(study(self.child, meta=_label("MASQUE_PS")))
        self.secret = self.system.create(study(self.child, meta=_label("INVISIBLE_REPRESENTANTS_LEGAUX")))
        self.waiting = self.system.create(study(self.child, meta=_label("INVISIBLE_PATIENT")))
        block = {
            "resourceType": "Consent",
            "status": "active",
            "scope": {"coding": [{"code": "patient-privacy"}]},
            "category": [{"text": "x"}],
            "policyRule": {"coding": [{"code": "OPTIN"}]},
            "patient": {"reference": f"Patient/{self.child}"},
            "provision": {
                "type": "deny",
                "actor": [
                    {"role": {"text": "x"}, "reference": {"identifier": {"system": rpps, "value": BLOCKED}}}
                ],
            },
        }  # fmt: skip
        operator.create(block)


def _label(code: str) -> dict[str, Any]:
    return {"security": [{"system": VISIBILITY, "code": code}]}


@pytest.fixture(scope="module")
def house(applications: Callable[..., Any]) -> Iterator[House]:
    with running() as pacs, applications() as application:
        yield House(application, pacs)


def hidden(house: House) -> list[tuple[Any, str]]:
    """Who asks for which study that is hidden from him."""
    parent, child = representative(house.child, house.parent), holder(house.child)
    return [
        (professional(STRANGER), house.plain),
        (professional(BLOCKED), house.plain),
        (professional(RPPS), house.masked),
        (holder(house.other), house.plain),
        (parent, house.secret),
        (parent, house.waiting),
        (child, house.waiting),
    ]


def test_hidden_images_are_as_absent_ones(house: House) -> None:
    asked = len(house.pacs.asked)
    for who, id_ in hidden(house):
        caller = house.app.caller(who)
        for operation in ("$images", "$image?number=1"):
            there, nowhere = (caller.get(f"ImagingStudy/{each}/{operation}") for each in (id_, "nowhere"))
            assert there.status == nowhere.status == 404, (who.id, id_)
            assert there.content == nowhere.content.replace(b"nowhere", id_.encode())
    assert len(house.pacs.asked) == asked, "nobody is asked for what is hidden"


def test_hidden_studies_have_no_pages(house: House) -> None:
    asked = len(house.pacs.asked)
    for who, id_ in hidden(house):
        browser = logged_in(house.app, who)
        record = f"/dossier/{house.child}/imagerie"
        for path in ("", "/images/1.jpg"):
            there, nowhere = (browser.get(f"{record}/{each}{path}") for each in (id_, "nowhere"))
            assert there.status == nowhere.status == 404, (who.id, id_)
        assert id_ not in browser.get(record).html
    assert len(house.pacs.asked) == asked


def test_those_who_may_see_them_do(house: House) -> None:
    child = house.app.caller(holder(house.child))
    for id_ in (house.plain, house.masked, house.secret):
        assert child.get(f"ImagingStudy/{id_}/$image?number=1").status == 200
    parent = house.app.caller(representative(house.child, house.parent))
    assert parent.get(f"ImagingStudy/{house.masked}/$image?number=1").status == 200
    assert house.app.caller(professional(RPPS)).get(f"ImagingStudy/{house.plain}/$image?number=1").status == 200


def test_a_closed_space_shows_professionals_nothing(house: House) -> None:
    operator = house.app.operator()
    assert operator.post(f"Patient/{house.child}/$espace-close", None).status == 200
    try:
        asked = len(house.pacs.asked)
        answer = house.app.caller(professional(RPPS)).get(f"ImagingStudy/{house.plain}/$image?number=1")
        assert answer.status == 404
        assert len(house.pacs.asked) == asked
    finally:
        assert operator.post(f"Patient/{house.child}/$espace-reopen", None).status == 200


def test_an_app_reaches_no_further_than_its_scopes(house: House) -> None:
    who = holder(house.child)
    for scopes, status in (("patient/Observation.rs", (403, 404)), ("patient/ImagingStudy.r", (200,))):
        from dataclasses import replace

        answer = house.app.caller(replace(who, scopes=(scopes,))).get(f"ImagingStudy/{house.plain}/$image?number=1")
        assert answer.status in status, scopes
