"""Invented people of the simulated providers: claims as the real providers give them."""

from __future__ import annotations

from typing import Any, Final

_ROLES: Final = "1.2.250.1.213.1.1.5.5"


def _activity(site: str, name: str, finess: str = "", sector: str = "SA01", mode: str = "S") -> dict[str, str]:
    return {
        "codeModeExercice": mode,
        "codeSecteurDactivite": sector,
        "codeRole": "",
        "numeroFinessSite": finess,
        "identifiantTechniqueDeLaStructure": site,
        "raisonSocialeSite": name,
        "enseigneCommercialeSite": "",
    }


def _exercise(code: str, family: str, given: str, *activities: dict[str, str], skill: str = "") -> dict[str, Any]:
    return {
        "codeProfession": code,
        "codeCategorieProfessionnelle": "C",
        "codeCiviliteDexercice": "DR" if code == "10" else "",
        "nomDexercice": family,
        "prenomDexercice": given,
        "codeTypeSavoirFaire": "S" if skill else "",
        "codeSavoirFaire": skill,
        "activities": list(activities),
    }


def _professional(
    number: str, family: str, given: str, role: str, site: str, name: str, *exercises: dict[str, Any], **more: Any
) -> dict[str, Any]:
    return {
        "sub": f"f:00000000-0000-4000-8000-000000000000:{number}",
        "preferred_username": number,
        "SubjectNameID": number,
        "given_name": given,
        "family_name": family,
        "email_verified": False,
        "SubjectRole": [f"{role}^{_ROLES}"] if role else [],
        "SubjectOrganization": name,
        "SubjectOrganizationID": site,
        "Secteur_Activite": "SA01^1.2.250.1.71.4.2.4",
        "SubjectRefPro": {"codeCivilite": "M", "exercices": list(exercises)},
        "Mode_Acces_Raison": "",
        "Acces_Regulation_Medicale": "FAUX",
        "PSI_Locale": "1.2.250.1.213.1.3.1.1",
        "Palier_Authentification": "APPPRIP3^1.2.250.1.213.1.5.1.1.1",
        "UITVersion": "1.0",
        "authMode": "CARD",
        "otherIds": [{"identifiant": number, "origine": "RPPS", "qualite": 1}],
        **more,
    }


_SURGERY: Final = _activity("R10001112", "CABINET DU DR MARTIN", sector="SA07", mode="L")
_HOSPITAL: Final = _activity("F750000001", "HOPITAL DE LA SIMULATION", "750000001")
_SAMU: Final = _activity("F750000003", "SAMU DE LA SIMULATION", "750000003")

PROFESSIONALS: Final = {
    "medecin": _professional(
        "810001112225",
        "MARTIN",
        "Claire",
        "10",
        "R10001112",
        "CABINET DU DR MARTIN",
        _exercise("10", "MARTIN", "Claire", _SURGERY, _HOSPITAL, skill="SM26"),
    ),
    "infirmier": _professional(
        "810001112233",
        "PETIT",
        "Luc",
        "60",
        "F750000001",
        "HOPITAL DE LA SIMULATION",
        _exercise("60", "PETIT", "Luc", _HOSPITAL),
    ),
    "remplacante": _professional(
        "810001112241",
        "ROUX",
        "Ines",
        "10",
        "",
        "",
        _exercise("10", "ROUX", "Ines", _SURGERY, _HOSPITAL),
    ),
    "regulateur": _professional(
        "810001112258",
        "BLANC",
        "Hugo",
        "10",
        "F750000003",
        "SAMU DE LA SIMULATION",
        _exercise("10", "BLANC", "Hugo", _SAMU),
        Acces_Regulation_Medicale="VRAI",
    ),
    "urgentiste": _professional(
        "810001112266",
        "GIRARD",
        "Nour",
        "10",
        "F750000001",
        "HOPITAL DE LA SIMULATION",
        _exercise("10", "GIRARD", "Nour", _HOSPITAL),
        Mode_Acces_Raison="Patient inconscient",
    ),
    "etudiant": _professional(
        "810001112274",
        "LOPEZ",
        "Tom",
        "",
        "",
        "",
        {**_exercise("10", "LOPEZ", "Tom", _HOSPITAL), "codeCategorieProfessionnelle": "E"},
    ),
    "secretaire": _professional("3750000001/S0042", "DURAND", "Paul", "", "F750000001", "HOPITAL DE LA SIMULATION"),
}
"""By the name that is chosen at the login: claims of Pro Santé Connect."""


def _citizen(given: str, family: str, birth: str, gender: str, place: str, country: str = "99100") -> dict[str, Any]:
    return {
        "sub": f"{family.lower()}-{birth}v1",
        "given_name": given,
        "given_name_array": given.split(),
        "family_name": family,
        "birthdate": birth,
        "gender": gender,
        "birthplace": place,
        "birthcountry": country,
    }


CITIZENS: Final = {
    "camille": _citizen("Camille Anne", "MOREAU", "1979-03-11", "female", "75056"),
    "sofia": _citizen("Sofia", "ROSSI", "1988-07-02", "female", "", "99127"),
    "karim": _citizen("Karim Louis", "BENALI", "1965-12-30", "male", "13055"),
}
"""By the name that is chosen at the login: pivot identities of FranceConnect."""
