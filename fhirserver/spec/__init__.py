"""What FHIR says: packages, types, search parameters, compartments, structures and codes."""

from fhirserver.spec.definitions import Definitions
from fhirserver.spec.files import BadPackage
from fhirserver.spec.package import Package
from fhirserver.spec.parameters import SearchParameter
from fhirserver.spec.types import Property, TypeDef

__all__ = ["BadPackage", "Definitions", "Package", "Property", "SearchParameter", "TypeDef"]
