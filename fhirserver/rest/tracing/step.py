"""Where writes of AuditEvents pass by: what was recorded stays, and nothing from outside is taken for a trace."""

from __future__ import annotations

from typing import Final

from fhirserver.errors import MethodNotAllowed, Unprocessable
from fhirserver.rest.steps import Step
from fhirserver.store.traces import TYPE, is_trace

_FIXED: Final = "What was recorded stays as it was: an AuditEvent is neither changed nor deleted."
_FORGED: Final = "source.observer is this server, which records by itself what is done here: name who else tells."


def require_changeable(type: str) -> None:
    """Raises MethodNotAllowed for an AuditEvent, whoever asks, and whether or not there is one."""
    if type == TYPE:
        raise MethodNotAllowed(_FIXED, headers={"Allow": "GET, HEAD"})


class Traces(Step):
    def receive(self) -> None:
        write = self.write
        if write.type != TYPE:
            return
        if write.before is not None or is_trace(TYPE, write.id):
            require_changeable(write.type)
        observer = write.resource.get("source", {}).get("observer", {})
        named = observer.get("identifier", {}).get("value"), observer.get("reference")
        if any(str(each).rstrip("/") == write.exchange.services.base for each in named):
            raise Unprocessable(_FORGED, code="business-rule", expression="AuditEvent.source.observer")
