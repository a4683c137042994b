"""Clinical content outside biology: which handler takes which template, and which takes what has none known.

Templates of IHE Patient Care Coordination, of the HL7 Continuity of Care Document, of C-CDA, and of the CI-SIS.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fhirserver.documents.cda.clinical import imaging, medication, observations, problems, procedures, vaccination

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fhirserver.documents.cda.context import Handler

_PCC: Final = "1.3.6.1.4.1.19376.1.5.3.1.4."
_CCD: Final = "2.16.840.1.113883.10.20.1."
_CCDA: Final = "2.16.840.1.113883.10.20.22.4."
_CISIS: Final = "1.2.250.1.213.1.1.3."

_vital = observations.categorised("vital-signs")
_social = observations.categorised("social-history")

ENTRIES: Final[Mapping[str, Handler]] = {
    # any observation
    f"{_PCC}13": observations.observation,
    f"{_CCD}31": observations.observation,
    f"{_CCDA}2": observations.observation,
    f"{_CISIS}48": observations.observation,
    # vital signs
    f"{_CCD}32": observations.organizer,
    f"{_CCD}35": observations.organizer,
    f"{_PCC}13.1": observations.organizer,
    f"{_CCDA}26": observations.organizer,
    f"{_CISIS}49": observations.organizer,
    f"{_PCC}13.2": _vital,
    f"{_CCDA}27": _vital,
    f"{_CISIS}50": _vital,
    # social history, pregnancy
    f"{_CCD}33": _social,
    f"{_PCC}13.4": _social,
    f"{_CCDA}38": _social,
    f"{_CCDA}78": _social,
    f"{_CISIS}52": _social,
    f"{_PCC}13.5": observations.observation,
    f"{_PCC}13.5.1": observations.organizer,
    f"{_PCC}13.6": observations.observation,
    # problems
    f"{_CCD}27": problems.concern,
    f"{_PCC}5.1": problems.concern,
    f"{_PCC}5.2": problems.concern,
    f"{_PCC}5.3": problems.concern,
    f"{_CCDA}3": problems.concern,
    f"{_CCDA}30": problems.concern,
    f"{_CISIS}38": problems.concern,
    f"{_CISIS}39": problems.concern,
    f"{_CISIS}40": problems.concern,
    f"{_CCD}28": problems.problem,
    f"{_PCC}5": problems.problem,
    f"{_CCDA}4": problems.problem,
    f"{_CISIS}37": problems.problem,
    # allergies
    f"{_CCD}18": problems.allergy,
    f"{_PCC}6": problems.allergy,
    f"{_CCDA}7": problems.allergy,
    f"{_CISIS}41": problems.allergy,
    # family
    f"{_CCD}23": procedures.family,
    f"{_PCC}15": procedures.family,
    f"{_CCDA}45": procedures.family,
    f"{_CISIS}59": procedures.family,
    # procedures and visits
    f"{_CCD}29": procedures.procedure,
    f"{_PCC}19": procedures.procedure,
    f"{_CCDA}14": procedures.procedure,
    f"{_CISIS}62": procedures.procedure,
    f"{_CCD}21": procedures.encounter,
    f"{_PCC}14": procedures.encounter,
    f"{_CCDA}49": procedures.encounter,
    f"{_CISIS}58": procedures.encounter,
    # medications
    f"{_CCD}24": medication.administration,
    f"{_PCC}7": medication.administration,
    f"{_PCC}7.1": medication.administration,
    f"{_PCC}8": medication.administration,
    f"{_PCC}9": medication.administration,
    f"{_PCC}10": medication.administration,
    f"{_PCC}11": medication.administration,
    f"{_CCDA}16": medication.administration,
    f"{_CISIS}42": medication.administration,
    f"{_CISIS}83": medication.administration,
    "1.3.6.1.4.1.19376.1.9.1.3.2": medication.administration,
    "1.3.6.1.4.1.19376.1.9.1.3.7": medication.administration,
    "1.3.6.1.4.1.19376.1.9.1.3.4": procedures.supply,
    f"{_PCC}7.3": procedures.supply,
    f"{_CCD}34": procedures.supply,
    # vaccinations
    f"{_PCC}12": vaccination.immunization,
    f"{_PCC}12.2": vaccination.immunization,
    f"{_CCDA}52": vaccination.immunization,
    f"{_CISIS}45": vaccination.immunization,
    # imaging
    "2.16.840.1.113883.10.20.6.2.6": imaging.study,
}

CLASSES: Final[Mapping[str, Handler]] = {
    "observation": observations.observation,
    "organizer": observations.organizer,
    "observationMedia": observations.picture,
    "substanceAdministration": medication.administration,
    "supply": procedures.supply,
    "procedure": procedures.procedure,
    "encounter": procedures.encounter,
    "act": imaging.catalogued,
}
"""`regionOfInterest` has no place in R4: it is left."""
