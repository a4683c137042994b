"""The HTTP edge: FHIR R4's RESTful API (https://hl7.org/fhir/R4/http.html), a module per interaction."""
