"""Sending files to a FHIR server: what is read from them, how it is sent, and what has been sent already."""
