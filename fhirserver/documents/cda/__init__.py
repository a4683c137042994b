"""CDA R2 documents of the French interoperability framework (CI-SIS): read into FHIR resources."""

from fhirserver.documents.cda.conversion import PATIENT, Conversion, Entry, Header, Left, PatientTraits
from fhirserver.documents.cda.convert import convert
from fhirserver.documents.cda.reading import is_cda, read

__all__ = ["PATIENT", "Conversion", "Entry", "Header", "Left", "PatientTraits", "convert", "is_cda", "read"]
