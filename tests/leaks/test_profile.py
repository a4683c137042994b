"""What is hidden of a profile changes nothing of its pages, of $summary, of Provenances and of what devices send.

Two children alike but for what is hidden: who may not see it is answered the same of both.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from fhirserver.espace.profile import entries, measuring, tables
from fhirserver.espace.profile.entries import Whose
from tests.application import applications, embedded_uri
from tests.portal.record.visiting import holder, logged_in, professional, representative
from tests.records import RPPS, care_team, consent, patient, practitioner, reference

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.application import Application, Caller
    from tests.portal.browser import Page

__all__ = ["applications", "embedded_uri"]

CARER, BLOCKED, STRANGER = "10000000018", "10000000034", "10000000026"
PAGES = ("/profil", "/mesures", "/mesures/poids", "/mesures/poids/courbe.svg", "/groupe-sanguin")
AT = "2026-03-01T08:00:00+01:00"
SECRET = "INVISIBLE_REPRESENTANTS_LEGAUX"


class Pair(NamedTuple):
    app: Application
    whole: str
    bare: str
    parents: dict[str, str]
    hidden: list[tuple[str, str]]

    def alike(self, look: Callable[[str], Page]) -> Page:
        first, second = look(self.whole), look(self.bare)
        assert first.status == second.status
        assert self._plain(first.html) == self._plain(second.html)
        return first

    def _plain(self, html: str) -> str:
        for each in (self.whole, self.bare, *self.parents.values()):
            html = html.replace(each, "ID")
        return re.sub(r'name="(csrf|envoi)" value="[^"]*"', "", html)


def weight(patient: str, value: str, at: str = AT, **more: Any) -> dict[str, Any]:
    device = {"device": {"identifier": {"system": "urn:example:device", "value": "S1"}}}
    subject = f"Patient/{patient}"
    made = measuring.observation(tables.measures()["poids"], {"poids": value}, at, subject, reference(subject))
    return made | device | more


def allergy(patient: str, text: str) -> dict[str, Any]:
    from datetime import date

    whose = Whose(f"Patient/{patient}", reference(f"Patient/{patient}"), date(2026, 3, 1))
    (made,) = entries.built(tables.sections()["allergies"], {"texte": text}, whose).resources
    return made


@pytest.fixture(scope="module")
def pair(applications: Callable[..., Any]) -> Iterator[Pair]:
    with applications() as app:
        made, parents, hidden = list[str](), dict[str, str](), list[tuple[str, str]]()
        for label in (SECRET, ""):
            id_, related = _child(app)
            made.append(id_)
            parents[id_] = related
            mine = app.patient(id_)
            for resource in (weight(id_, "41.5", "2026-02-01T08:00:00Z"), allergy(id_, "Kiwi")):
                mine.create(resource)
            if label:
                security = {"meta": {"security": [{"code": label}, {"code": "MASQUE_PS"}]}}
                kept = (weight(id_, "99.9") | security, allergy(id_, "Latex") | security)
                hidden += [(each["resourceType"], mine.create(each)) for each in kept]
        yield Pair(app, made[0], made[1], parents, hidden)


def _child(app: Application) -> tuple[str, str]:
    operator = app.operator()
    id_ = operator.create(patient(birthDate="2014-06-01"))
    blocked = operator.create(practitioner(BLOCKED))
    member = {"identifier": {"system": RPPS, "value": CARER}}
    operator.create(care_team(id_) | {"participant": [{"member": member}]})
    operator.create(consent(id_, "deny", f"Practitioner/{blocked}"))
    related = {"resourceType": "RelatedPerson", "active": True, "patient": reference(f"Patient/{id_}")}
    return id_, operator.create(related)


@pytest.mark.parametrize("path", PAGES)
def test_pages_are_as_if_what_is_hidden_were_not_there(pair: Pair, path: str) -> None:
    carer = logged_in(pair.app, professional(CARER))
    page = pair.alike(lambda id: carer.get(f"/dossier/{id}{path}"))
    assert page.status == 200
    for id_ in (pair.whole, pair.bare):
        assert "99,9" not in carer.get(f"/dossier/{id_}{path}").html
    assert pair.alike(
        lambda id: logged_in(pair.app, representative(id, pair.parents[id])).get(f"/dossier/{id}{path}")
    ).status == 200  # fmt: skip
    for rpps in (BLOCKED, STRANGER):
        browser = logged_in(pair.app, professional(rpps))
        assert pair.alike(lambda id: browser.get(f"/dossier/{id}{path}", Accept="text/html")).status == 404  # noqa: B023 - called at once
    foreign = logged_in(pair.app, holder(pair.bare))
    assert foreign.get(f"/dossier/{pair.whole}{path}", Accept="text/html").status == 404


def test_what_is_hidden_is_no_more_to_be_changed_than_what_never_was(pair: Pair) -> None:
    for type_, id_ in pair.hidden:
        section = "mesures/poids" if type_ == "Observation" else "profil/allergies"
        parent = logged_in(pair.app, representative(pair.whole, pair.parents[pair.whole]))
        pages = [parent.get(f"/dossier/{pair.whole}/{section}/{each}", Accept="text/html") for each in (id_, "nobody")]
        assert [each.status for each in pages] == [404, 404]
        said = [pair._plain(each.html).replace(id_, "nobody") for each in pages]
        assert said[0] == said[1]
        assert logged_in(pair.app, holder(pair.whole)).get(f"/dossier/{pair.whole}/{section}/{id_}").status == 200


@pytest.mark.parametrize("who", ["parent", "carer"])
def test_provenances_and_the_summary_tell_of_nothing_hidden(pair: Pair, who: str) -> None:
    parent = pair.app.representative(pair.whole, pair.parents[pair.whole])
    caller = parent if who == "parent" else pair.app.practitioner(CARER)
    for type_, id_ in pair.hidden:
        assert caller.get(f"Provenance?target={type_}/{id_}").total == 0
        assert pair.app.patient(pair.whole).get(f"Provenance?target={type_}/{id_}").total == 1
    assert b"Latex" not in caller.get(f"Patient/{pair.whole}/$summary").content
    assert caller.get("Provenance?_summary=count").total == (2 if who == "parent" else 0)


def test_what_devices_send_is_answered_alike(pair: Pair) -> None:
    def fed(caller: Caller, id_: str, value: str) -> str:
        bundle = {"resourceType": "Bundle", "type": "batch", "entry": [{"resource": weight(id_, value)}]}
        answer = caller.post(f"Patient/{id_}/$feed-measures", bundle)
        return str(answer.json["entry"][0]["response"]["status"] if answer.status == 200 else answer.status)

    makes: tuple[Callable[[str], Caller], ...] = (
        lambda id: pair.app.representative(id, pair.parents[id]),
        lambda id: pair.app.practitioner(CARER),
        lambda id: pair.app.practitioner(BLOCKED),
        lambda id: pair.app.system("750000001"),
    )
    for make in makes:
        for value in ("50", "50", "51"):
            assert fed(make(pair.whole), pair.whole, value) == fed(make(pair.bare), pair.bare, value)
    assert fed(pair.app.patient(pair.bare), pair.whole, "50") == "404"


def test_a_closed_space_takes_no_measures_and_shows_professionals_no_profile(pair: Pair) -> None:
    id_, _ = _child(pair.app)
    mine = pair.app.patient(id_)
    assert mine.post(f"Patient/{id_}/$espace-close", b"").status == 200
    bundle = {"resourceType": "Bundle", "type": "batch", "entry": [{"resource": weight(id_, "50")}]}
    for caller in (mine, pair.app.system("750000001")):
        (entry,) = caller.post(f"Patient/{id_}/$feed-measures", bundle).json["entry"]
        assert entry["response"]["status"] == "403 Forbidden"
    carer = logged_in(pair.app, professional(CARER))
    for path in PAGES:
        assert carer.get(f"/dossier/{id_}{path}", Accept="text/html").status == 404
    form = logged_in(pair.app, holder(id_)).get(f"/dossier/{id_}/profil/allergies/ajouter", Accept="text/html")
    if form.status == 200:
        sent = logged_in(pair.app, holder(id_))
        page = sent.get(f"/dossier/{id_}/profil/allergies/ajouter")
        assert sent.send(page, f"/dossier/{id_}/profil/allergies/ajouter", {"texte": "x"}).status == 403
