"""CDA R2 documents of the French interoperability framework (CI-SIS): read into FHIR resources."""
