"""Resources held to R4 and to profiles."""

from fhirserver.validation.result import Outcome
from fhirserver.validation.validator import Validator

__all__ = ["Outcome", "Validator"]
