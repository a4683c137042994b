"""FHIRPath N1 with FHIR R4's additions: the text of an expression becomes a closure over parsed JSON."""

from fhirserver.fhirpath.environment import Env
from fhirserver.fhirpath.errors import FhirPathError
from fhirserver.fhirpath.expression import Expression, compile  # noqa: A004 the engine's one verb
from fhirserver.fhirpath.values import Typed

__all__ = ["Env", "Expression", "FhirPathError", "Typed", "compile"]
