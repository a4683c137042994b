"""Entering as one of the demo family, without an account: where the demo data were loaded, and never in production."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from flask import abort, request

from fhirserver import jsontext
from fhirserver.access import Access, Requester
from fhirserver.auth.accounts.people import AGENT, PURPOSE, name_of
from fhirserver.auth.tokens import DEFAULT_SCOPES
from fhirserver.portal import browser, tracing
from fhirserver.portal.entering import ACR
from fhirserver.portal.language import _
from fhirserver.portal.operator import staff
from fhirserver.rest.edge import services
from fhirserver.search import parse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flask import Blueprint, Response

TAG: Final = "urn:fhirserver|demo"
"""What the demo data bear: `system|code` of a tag."""
_AMR: Final = ("demo",)
_RPPS: Final = "https://rpps.esante.gouv.fr"
_FINESS: Final = "https://finess.esante.gouv.fr"
_INS: Final = "urn:oid:1.2.250.1.213.1.4.11"
"""That of demonstrations."""
_PHYSICIAN: Final = "G15_10"
Resource = dict[str, Any]


class Role(NamedTuple):
    """Somebody to enter as; `said`: how, in French."""

    requester: Requester
    said: str


def routes(pages: Blueprint) -> None:
    pages.add_url_rule("/entrer", "enter_demo", enter, methods=["POST"])


def enter() -> Response:
    """A session as one of the roles; 404 where there are none."""
    role = next((each for each in roles() if each.requester.id == request.form.get("qui")), None)
    if role is None:
        abort(404)
    response = browser.redirect(staff.PATH if role.requester.kind == "operator" else "/dossier")
    browser.open_session(response, role.requester, f"demo {role.requester.id}", _AMR, ACR)
    tracing.done("login", role.requester)
    return response


def roles() -> list[Role]:
    """Holder, representative, physician of the demo data, and who works for the service where there are such data;
    nobody in production."""
    if services().settings.environment == "production":
        return []
    family = sorted(_family(), key=lambda each: each.requester.kind != "patient")
    return [*family, *_physicians(), *(_staff() if family else ())]


def numbers() -> list[tuple[str, str]]:
    """Names and matricules of the demo data, for who entered as one of the roles; empty for all others."""
    session = browser.current_session()
    if session is None or session.amr != _AMR:
        return []
    found = [(name_of(each), _number(each, _INS)) for each in _tagged("Patient")]
    return [each for each in found if each[1]]


def _family() -> Iterator[Role]:
    people = services().accounts.people
    for patient in sorted(_tagged("Patient"), key=lambda each: str(each.get("birthDate")), reverse=True):
        id_, name = patient["id"], name_of(patient)
        common: dict[str, Any] = {"patient": id_, "purpose": PURPOSE, "scopes": DEFAULT_SCOPES["patient"]}
        if not people.is_minor(patient):
            yield Role(
                Requester("patient", f"patient/{id_}", name=name, **common), _("%(name)s, dans son espace", name=name)
            )
        for related, _rights in people.represented_by(patient):
            by = name_of(related)
            who = Requester("representative", f"RelatedPerson/{related['id']}", name=by, **common)
            if people.is_minor(patient):
                yield Role(who, _("%(parent)s, parent de %(name)s", parent=by, name=name))
            else:
                yield Role(who, _("%(tutor)s, tuteur de %(name)s", tutor=by, name=name))


def _physicians() -> Iterator[Role]:
    places = [found for each in _tagged("Organization") if (found := _number(each, _FINESS))]
    for physician in _tagged("Practitioner"):
        rpps, name = _number(physician, _RPPS), name_of(physician)
        if rpps:
            who = Requester(
                "practitioner",
                f"practitioner/{rpps}",
                rpps=rpps,
                profession=_PHYSICIAN,
                organization=places[0] if places else None,
                name=name,
                scopes=DEFAULT_SCOPES["practitioner"],
            )
            yield Role(who, _("Docteur %(name)s, médecin", name=name))


def _staff() -> Iterator[Role]:
    everything = DEFAULT_SCOPES["operator"]
    yield Role(Requester("operator", "operator/demo", scopes=everything, name="operateur"), _("opérateur du service"))
    agent = Requester("operator", "agent/demo", scopes=(AGENT,), name="agent")
    yield Role(agent, _("agent de l’Assurance Maladie"))


def _tagged(type_: str) -> list[Resource]:
    found = services()
    view = found.store.view(Access.system(tracing.REASON, found.clock()))
    query = parse(found.published, type_, [("_tag", TAG)])
    return [jsontext.parse_object(each.body) for each in view.search(query).matches]


def _number(resource: Resource, system: str) -> str:
    told = (each["value"] for each in resource.get("identifier") or () if each.get("system") == system)
    return str(next(told, ""))
