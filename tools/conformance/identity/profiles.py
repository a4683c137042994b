"""FR Core 2.2.0: a Patient with an INS, and what is asked of those who claim no profile."""

from __future__ import annotations

from typing import Any, Final

from tools.conformance.building import Part, Wrong, ask, case, check, refused, says, script, status
from tools.conformance.identity.common import (
    DELETE,
    FRS,
    INS,
    LOCAL,
    PATIENT,
    V2_0203,
    camille,
    changed,
    number,
    plain,
)

_RULES: Final = "FR-rules"
_INS: Final = "FR-patient-ins"
_WRONG: Final[dict[str, tuple[str, str, str, Any]]] = {
    "sexless": ("no sex", _INS, "gender", DELETE),
    "othersex": ("a sex that there is not", _INS, "gender", "other"),
    "birthless": ("no date of birth", _INS, "birthDate", DELETE),
    "nameless": ("no name", _INS, "name", DELETE),
    "usualonly": ("no birth name", _INS, "name.0.use", "usual"),
    "familyless": ("a birth name without family name", _INS, "name.0.family", DELETE),
    "givenless": ("no first given name", _INS, "name.0.given", DELETE),
    "giventwo": ("two first given names", _INS, "name.0.given", ["Camille", "Rose"]),
    "listless": ("no list of given names", _INS, "name.0.extension", DELETE),
    "placeless": ("no place of birth", _INS, "extension.1", {"url": "http://example.org/x", "valueString": "x"}),
    "communeless": ("a place of birth without its commune", _INS, "extension.1.valueAddress.extension", DELETE),
    "numberless": ("no identifier", _INS, "identifier", DELETE),
    "valueless": ("an INS without its value", _INS, "identifier.0.value", DELETE),
    "useless": ("an INS without its use", _INS, "identifier.0.use", DELETE),
    "system": ("an INS of another authority than its type says", _INS, "identifier.0.system", "urn:oid:1.2.3"),
    "mode": (
        "validated by what does not validate an INS",
        _INS,
        "extension.0.extension.1.valueCoding.code",
        "TC",
    ),
    "validated": ("validated, and no INS that is official", _RULES, "identifier.0", number(use="old")),
    "officials": ("validated, and two official identifiers", _RULES, "identifier.1.use", "official"),
}
"""What is wrong with a qualified identity: by key its text, the requirement, the place, and what stands there."""


def _official_local() -> dict[str, Any]:
    kind = {
        "coding": [{"system": f"{FRS}v2-0203", "code": "INS-C", "display": "Identifiant National de Santé Calculé"}]
    }
    return {"use": "official", "type": kind, "system": "urn:oid:1.2.250.1.213.1.4.2", "value": "041188631960571937"}


_DEFAULT: Final[dict[str, tuple[str, Part]]] = {
    "other": ("a sex that there is not", plain(gender="other")),
    "family": ("a birth name without family name", plain(name=[{"use": "official", "given": ["Lou"]}])),
    "given": ("a birth name without given name", plain(name=[{"use": "official", "family": "X"}])),
    "insc": ("an INS-C that is official", plain(identifier=[_official_local()])),
    "pi": (
        "a hospital's number without its use",
        plain(
            identifier=[
                {
                    "type": {"coding": [{"system": V2_0203, "code": "PI", "display": "Patient internal identifier"}]},
                    "system": LOCAL,
                    "value": "1",
                }
            ]
        ),
    ),
    "practitioner": (
        "a Patient for a physician",
        plain(generalPractitioner=[{"reference": "Patient/x"}]),
    ),
}
"""Patients who claim no profile."""
_PRACTITIONER: Final = {
    "resourceType": "Practitioner",
    "identifier": [
        {
            "type": {"coding": [{"system": f"{FRS}v2-0203", "code": "RPPS"}]},
            "system": "https://rpps.esante.gouv.fr",
            "value": "${number}",
        }
    ],
    "name": [{"family": "ESSAI${run}", "given": ["Dominique"]}],
}
_VALIDATE: Final = "Patient/$validate"

_CLAIMED: Final = script(
    "identity-ins",
    "A qualified identity",
    case(
        "it is taken, and all of it read",
        _INS,
        ask("read", target="camille"),
        status(200),
        check("all of it", minimumId="camille"),
    ),
    case(
        "what is read conforms",
        _INS,
        ask("read", target="camille"),
        check("to the profile of the INS", validateProfileId="ins"),
    ),
    case(
        "what is read conforms to the Patient of France",
        "FR-default",
        ask("read", target="camille"),
        check("to fr-core-patient", validateProfileId="patient"),
    ),
    case(
        "the profile claimed stays claimed",
        _INS,
        ask("read", target="camille"),
        says(f"Patient.meta.profile.where($this = '{INS}').exists()"),
    ),
    *(
        case(text, f"{requirement} R4-outcome", ask("create", "Patient", source=key), *refused(400, 422))
        for key, (text, requirement, _, _) in _WRONG.items()
    ),
    case(
        "the refusal says where",
        "R4-outcome",
        ask("create", "Patient", source="communeless"),
        says("OperationOutcome.issue.expression.where($this.contains('extension')).exists()"),
    ),
    fixtures={
        "camille": camille(),
        **{f"-{key}": changed(camille("${nir}"), path, value) for key, (_, _, path, value) in _WRONG.items()},
    },
    profiles={"ins": INS, "patient": PATIENT},
)
_CHECKED: Final = script(
    "identity-validate",
    "What would be refused is told beforehand",
    case(
        "a qualified identity is valid",
        "FR-validate",
        ask("", url=f"{_VALIDATE}?profile={INS}", method="post", source="camille"),
        status(200),
        says("OperationOutcome.issue.where(severity = 'error' or severity = 'fatal').empty()"),
    ),
    case(
        "without its sex it is not, and the answer says where",
        "FR-validate",
        ask("", url=f"{_VALIDATE}?profile={INS}", method="post", source="sexless"),
        status(200, 422),
        says("OperationOutcome.issue.where(severity = 'error').expression.where($this = 'Patient.gender').exists()"),
    ),
    case(
        "a commune of birth that the INS service cannot send is warned of",
        "FR-rules-warning",
        ask("", url=f"{_VALIDATE}?profile={INS}", method="post", source="nowhere"),
        status(200),
        says("OperationOutcome.issue.where(severity = 'error').empty()"),
        says("OperationOutcome.issue.where(severity = 'warning').exists()"),
    ),
    case(
        "a Patient without INS is none of that profile",
        "FR-validate",
        ask("", url=f"{_VALIDATE}?profile={INS}", method="post", source="plain"),
        status(200, 422),
        says("OperationOutcome.issue.where(severity = 'error').exists()"),
    ),
    case(
        "and valid as he is",
        "FR-validate FR-default",
        ask("", url=_VALIDATE, method="post", source="plain"),
        status(200),
        says("OperationOutcome.issue.where(severity = 'error' or severity = 'fatal').empty()"),
    ),
    case(
        "nothing of it is stored",
        "FR-validate",
        ask("", url=f"{_VALIDATE}?profile={INS}", method="post", source="camille"),
        ask("search", "Patient", "?family=MOREAU${run}"),
        says("Bundle.entry.empty()"),
    ),
    fixtures={
        "-camille": camille(),
        "-sexless": changed(camille(), "gender", DELETE),
        "-nowhere": changed(camille(), "extension.1.valueAddress.extension.0.valueCoding.code", "99999"),
        "-plain": plain(),
    },
)
_ASSUMED: Final = script(
    "identity-default",
    "Who claims no profile is held to the French one",
    case(
        "who is right is taken",
        "FR-default",
        ask("create", "Patient", source="right", response="made", headers={"Prefer": "return=representation"}),
        status(201),
        ask("", url="Patient/${made}", method="delete"),
    ),
    *(
        case(text, "FR-default R4-outcome", ask("create", "Patient", source=key), *refused(400, 422))
        for key, (text, _) in _DEFAULT.items()
    ),
    case(
        "an update neither",
        "FR-default R4-outcome",
        ask("", url="Patient/${kept}", method="put", source="worse"),
        *refused(400, 422),
        ask("", url="Patient/${kept}"),
        says("Patient.gender", "female"),
    ),
    case(
        "a professional with an RPPS number is taken",
        "FR-professional",
        ask("read", target="professional"),
        status(200),
        check("all of it", minimumId="professional"),
    ),
    case(
        "an RPPS number of another type is refused",
        "FR-professional R4-outcome",
        ask("create", "Practitioner", source="mistyped"),
        *refused(400, 422),
    ),
    case(
        "an RPPS number without its value is refused",
        "FR-professional R4-outcome",
        ask("create", "Practitioner", source="unnumbered"),
        *refused(400, 422),
    ),
    fixtures={
        "kept": plain(),
        "professional": _PRACTITIONER,
        "-right": plain(),
        **{f"-{key}": Wrong(resource) for key, (_, resource) in _DEFAULT.items()},
        "-worse": Wrong({**plain(gender="other"), "id": "${kept}"}),
        "-mistyped": changed(_PRACTITIONER, "identifier.0.type.coding.0.code", "ADELI"),
        "-unnumbered": changed(_PRACTITIONER, "identifier.0.value", DELETE),
    },
    variables=(
        {"name": "kept", "sourceId": "kept", "expression": "Patient.id"},
        {"name": "made", "sourceId": "made", "expression": "Patient.id"},
    ),
)
PROFILES: Final = (_CLAIMED, _CHECKED, _ASSUMED)
