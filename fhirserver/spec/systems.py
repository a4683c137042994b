"""The URIs of code systems, where code needs them by name; those that only data name stand in the data.

https://hl7.org/fhir/R4/terminologies-systems.html, https://terminology.hl7.org
"""

from typing import Final

LOINC: Final = "http://loinc.org"
SNOMED: Final = "http://snomed.info/sct"
UCUM: Final = "http://unitsofmeasure.org"
RXNORM: Final = "http://www.nlm.nih.gov/research/umls/rxnorm"

TERMINOLOGY: Final = "http://terminology.hl7.org/CodeSystem/"
"""What the URIs of HL7's own systems begin with."""
ACT_REASON: Final = f"{TERMINOLOGY}v3-ActReason"
CONDITION_CLINICAL: Final = f"{TERMINOLOGY}condition-clinical"
CONFIDENTIALITY: Final = f"{TERMINOLOGY}v3-Confidentiality"
DATA_ABSENT: Final = f"{TERMINOLOGY}data-absent-reason"
DATA_OPERATION: Final = f"{TERMINOLOGY}v3-DataOperation"
INTERPRETATION: Final = f"{TERMINOLOGY}v3-ObservationInterpretation"
LIST_EMPTY: Final = f"{TERMINOLOGY}list-empty-reason"
OBSERVATION_CATEGORY: Final = f"{TERMINOLOGY}observation-category"
OBSERVATION_VALUE: Final = f"{TERMINOLOGY}v3-ObservationValue"
PARTICIPATION: Final = f"{TERMINOLOGY}v3-ParticipationType"
PROVENANCE_PARTICIPANT: Final = f"{TERMINOLOGY}provenance-participant-type"
ROLE_CLASS: Final = f"{TERMINOLOGY}v3-RoleClass"
ROLE_CODE: Final = f"{TERMINOLOGY}v3-RoleCode"
