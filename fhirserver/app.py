"""Composition root: the one module that knows every room. Makes the services of a worker, and its Flask application."""

from __future__ import annotations

import os
import uuid
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from flask import Flask

from fhirserver import portal
from fhirserver.audit import AuditEvents, Chains
from fhirserver.auth import DEVELOPMENT_ISSUER, KeyRing, TokenVerifier
from fhirserver.auth.grants import Grants
from fhirserver.clock import parse_clock
from fhirserver.rest import accounts, catalogue, cors, edge, guard, health, openapi
from fhirserver.rest.agenda.step import Agenda
from fhirserver.rest.defining import SearchParameters
from fhirserver.rest.documents.step import Documents
from fhirserver.rest.guides import Guides
from fhirserver.rest.inforce import InForce
from fhirserver.rest.messages.step import Messages
from fhirserver.rest.naming import KnownActors, OwnNumbers, Targets
from fhirserver.rest.oauth import introspect, launch, register, revoke, token, userinfo, wellknown
from fhirserver.rest.origin import Origin
from fhirserver.rest.pages import PageSeal
from fhirserver.rest.rules import LazyRule
from fhirserver.rest.services import Services, issuer_of
from fhirserver.rest.subscriptions.step import Subscriptions
from fhirserver.rest.tracing.step import Traces
from fhirserver.serving.supervisor import INSTANCE, base_of
from fhirserver.settings import SettingsError
from fhirserver.spec import Definitions
from fhirserver.store import Store
from fhirserver.validation import ins

if TYPE_CHECKING:
    from fhirserver.settings import Settings

STEPS: Final = (
    Traces,
    Origin,
    Documents,
    Messages,
    Agenda,
    Subscriptions,
    KnownActors,
    OwnNumbers,
    Targets,
    SearchParameters,
)
"""What the rooms do around each write, in this order (`rest.steps`)."""


def create_services(settings: Settings) -> Services:
    """All rooms, connected. Raises SettingsError, KeyFileError or StoreError when they cannot be."""
    if not settings.mongo or not settings.key_file:
        raise SettingsError("mongo and key_file must both be set for a worker.")
    definitions = Definitions.french()
    keys = KeyRing.beside(Path(settings.key_file))
    base = base_of(settings)
    in_force = InForce(definitions, timezone=settings.timezone, base_url=base)
    store = Store(
        settings.mongo,
        database=settings.database,
        definitions=definitions,
        index=in_force.index,
        operation=settings.query_seconds,
        lease=settings.job_lease,
        plain_labels=settings.consent_labels == "tags",
        traced=AuditEvents(base, definitions),
    )
    in_force.bind(store)
    services = Services(
        settings=settings,
        base=base,
        instance=os.environ.get(INSTANCE, uuid.uuid4().hex),
        published=definitions,
        in_force=in_force,
        guides=_guides(settings, definitions),
        store=store,
        keys=keys,
        verifier=_verifier(settings, base, keys, store),
        chains=Chains(),
        seal=PageSeal(keys.root.derive("page-links")),
        clock=parse_clock(settings.clock),
        steps=STEPS,
        derive=cache(keys.root.derive),
    )
    _ = services.authorization_server, services.pacs  # reading the files of settings: what is wrong shows at the start
    return services


def _guides(settings: Settings, definitions: Definitions) -> Guides:
    numbers = ins.Rules(settings.ins_key, settings.ins_consistency, settings.genuine_ins)
    return Guides(settings.packages_folder, settings.profiles, definitions, numbers, settings.terminology_server)


def _verifier(settings: Settings, base: str, keys: KeyRing, store: Store) -> TokenVerifier:
    """Takes tokens of this server, and those that the command `token` makes in development."""
    issuer = settings.issuer or DEVELOPMENT_ISSUER
    return TokenVerifier(
        keys,
        issuer=issuer,
        audience=settings.audience or issuer,
        development=settings.environment != "production",
        emergency=settings.emergency_seconds,
        also={issuer_of(settings, base): frozenset({settings.audience or base})},
        grants=Grants(store),
    )


class _Application(Flask):
    url_rule_class = LazyRule


def create_app(services: Services) -> Flask:
    """The WSGI application around the services."""
    app = _Application(__name__, static_folder=None)
    app.config.update(
        MAX_CONTENT_LENGTH=None,
        MAX_FORM_MEMORY_SIZE=services.settings.max_body_bytes,
        PROVIDE_AUTOMATIC_OPTIONS=False,
    )
    app.url_map.merge_slashes = False
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.extensions[edge.EXTENSION] = services
    app.register_blueprint(edge.blueprint())
    app.register_blueprint(health.blueprint())
    app.register_blueprint(portal.blueprint())
    for each in (accounts, catalogue, introspect, launch, register, revoke, token, userinfo, wellknown):
        app.register_blueprint(each.blueprint())
    openapi.register(app, services)
    health.measure(app)
    guard.register(app, services)
    cors.register(app, services)
    edge.register_errors(app)
    return app
