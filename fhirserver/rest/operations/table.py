"""The one table of operations: routes and metadata are made from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fhirserver.rest.documents.cda import cda
from fhirserver.rest.documents.quarantine import quarantine, quarantine_resolve
from fhirserver.rest.documents.render import render
from fhirserver.rest.documents.summary import summary
from fhirserver.rest.jobs.export import export
from fhirserver.rest.jobs.portability import portability
from fhirserver.rest.jobs.reindex import reindex
from fhirserver.rest.jobs.verification import audit_verify
from fhirserver.rest.messages.filing import file
from fhirserver.rest.messages.operations import close, received, reopen
from fhirserver.rest.operations import espace, reminders
from fhirserver.rest.operations.document import document
from fhirserver.rest.operations.everything import everything
from fhirserver.rest.operations.expand import expand
from fhirserver.rest.operations.explain_access import explain_access
from fhirserver.rest.operations.feed_measures import feed_measures
from fhirserver.rest.operations.images import image, images
from fhirserver.rest.operations.lastn import lastn
from fhirserver.rest.operations.lookup import lookup
from fhirserver.rest.operations.merge import merge, unmerge
from fhirserver.rest.operations.meta import meta, meta_add, meta_delete
from fhirserver.rest.operations.service_overview import service_overview
from fhirserver.rest.operations.subsumes import subsumes
from fhirserver.rest.operations.translate import translate
from fhirserver.rest.operations.validate import validate
from fhirserver.rest.operations.validate_code import validate_code
from fhirserver.rest.operations.who_can_see import who_can_see
from fhirserver.rest.parameters import DEFINITIONS, OWN_DEFINITIONS
from fhirserver.rest.subscriptions import asking

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


_BOTH: Final = ("GET", "POST")


class Operation(NamedTuple):
    """`type`: the resource type it is for, empty: all. `methods`: on the type, on an instance, and on the system."""

    name: str
    type: str
    handler: Callable[..., Any]
    definition: str
    summary: str
    methods: tuple[str, ...] = ("GET", "POST")
    instance: tuple[str, ...] = ("GET", "POST")
    system: tuple[str, ...] = ()

    def paths(self) -> Iterator[tuple[str, str, str]]:
        """`(name, method, path)` of each way to call it."""
        type = self.type or "<type>"
        for level, path, methods in (
            ("type", f"/{type}/${self.name}", self.methods),
            ("instance", f"/{type}/<id>/${self.name}", self.instance),
            ("system", f"/${self.name}", self.system),
        ):
            for method in methods:
                yield "-".join(filter(None, (self.name, self.type, level, method.lower()))), method, path


def _operation(name: str, type: str, handler: Callable[..., Any], summary: str, **levels: tuple[str, ...]) -> Operation:
    return Operation(name, type, handler, f"{DEFINITIONS}{type or 'Resource'}-{name}", summary, **levels)


def _own(name: str, type: str, handler: Callable[..., Any], summary: str, **levels: tuple[str, ...]) -> Operation:
    """An operation of this server's own, which no guide defines."""
    return Operation(name, type, handler, f"{OWN_DEFINITIONS}{name}", summary, **({"methods": (), **levels}))


IPS: Final = "http://hl7.org/fhir/uv/ips/OperationDefinition/summary"
MERGE: Final = "http://hl7.org/fhir/OperationDefinition/Patient-merge"
_BULK: Final = "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/"

OPERATIONS: Final = (
    Operation("export", "", export, f"{_BULK}export", "A copy in bulk of all", (), (), _BOTH),
    Operation("export", "Patient", export, f"{_BULK}patient-export", "A copy in bulk of all records", _BOTH, ()),
    Operation("export", "Group", export, f"{_BULK}group-export", "A copy in bulk of the records of a group", (), _BOTH),
    _operation("expand", "ValueSet", expand, "The codes of a value set"),
    _operation("validate-code", "ValueSet", validate_code, "Whether a code is in a value set"),
    _operation("lookup", "CodeSystem", lookup, "What is known of a code", instance=()),
    _operation("validate-code", "CodeSystem", validate_code, "Whether a code is in a code system"),
    _operation("subsumes", "CodeSystem", subsumes, "How two codes relate"),
    _operation("translate", "ConceptMap", translate, "What a code is called elsewhere"),
    _operation("validate", "", validate, "What a write would find, without writing", methods=("POST",)),
    _operation("meta", "", meta, "Profiles, tags and labels of a resource", methods=()),
    _operation("meta-add", "", meta_add, "Add profiles, tags and labels", methods=(), instance=("POST",)),
    _operation("meta-delete", "", meta_delete, "Take off profiles, tags and labels", methods=(), instance=("POST",)),
    _operation("lastn", "Observation", lastn, "The latest of each kind", instance=()),
    _operation("document", "Composition", document, "A document made of a Composition", methods=()),
    _own("document", "DocumentReference", document, "A document as a FHIR document Bundle", instance=("GET", "POST")),
    Operation("summary", "Patient", summary, IPS, "A summary of a record (IPS)", (), ("GET",)),
    _own("render", "DocumentReference", render, "A document as a page to read", instance=("GET",)),
    _operation("everything", "Patient", everything, "A whole record, page by page", methods=()),
    Operation("merge", "Patient", merge, MERGE, "Make two records one", ("POST",), ()),
    _own("unmerge", "Patient", unmerge, "Undo a merge of records", methods=("POST",), instance=()),
    _own("who-can-see", "Patient", who_can_see, "Who sees a resource of the record"),
    _own("feed-measures", "Patient", feed_measures, "Measures of connected devices, each once", instance=("POST",)),
    _own("portability", "Patient", portability, "All of a record in one archive", instance=("POST",)),
    _own("espace", "Patient", espace.espace, "The state of a person's space", instance=("GET",)),
    *(
        _own(f"espace-{name}", "Patient", espace.changing(name), summary, instance=("POST",))
        for name, (_, summary) in espace.EVENTS.items()
    ),
    _own("reminders", "Patient", reminders.reminders, "What prevention proposes at an age", instance=("GET",)),
    _own("reminders-answer", "Patient", reminders.answer, "What the person says of a reminder", instance=("POST",)),
    _own("espace-find", "Patient", espace.find, "The space of a matricule INS", methods=("POST",), instance=()),
    _own("espace-erase", "Patient", espace.erase, "Erase a person", instance=("POST",)),
    _own("images", "ImagingStudy", images, "The images of a study", instance=("GET",)),
    _own("image", "ImagingStudy", image, "One image of a study", instance=("GET",)),
    Operation("status", "Subscription", asking.status, asking.STATUS, "How Subscriptions stand"),
    Operation("events", "Subscription", asking.events, asking.EVENTS, "Events that were told", methods=()),
    _own("received", "Communication", received, "A message was read", instance=("POST",)),
    _own("close", "Communication", close, "Close the thread of a message", instance=("POST",)),
    _own("reopen", "Communication", reopen, "Open the thread of a message again", instance=("POST",)),
    _own("file", "Communication", file, "File what is attached to a message", instance=("POST",)),
    _own("cda", "", cda, "Store a CDA document", instance=(), system=("POST",)),
    _own("quarantine", "", quarantine, "Documents that wait for their patient", instance=(), system=("GET",)),
    _own("quarantine-resolve", "", quarantine_resolve, "End the waiting of one", instance=(), system=("POST",)),
    _own("service-overview", "", service_overview, "What waits for operators", instance=(), system=("GET",)),
    _own("audit-verify", "", audit_verify, "Verify the chains of traces", instance=(), system=_BOTH),
    _own("reindex", "", reindex, "Index anew what is stored", instance=(), system=("POST",)),
    _own("explain-access", "", explain_access, "Why a requester sees a resource or not", instance=(), system=_BOTH),
)
