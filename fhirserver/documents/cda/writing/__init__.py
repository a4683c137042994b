"""Biology reports from FHIR to CDA, so that a laboratory without CDA feeds records that want it."""

from fhirserver.documents.cda.writing.report import Written, as_bundle, write

__all__ = ["Written", "as_bundle", "write"]
