"""The operations: a module each, by its FHIR name."""
