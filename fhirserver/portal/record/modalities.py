"""The modalities of imaging in words (DICOM PS3.16, CID 29), by code."""

from __future__ import annotations

from typing import Final

from fhirserver.portal.language import N_, _

MODALITIES: Final = {
    "BMD": N_("Ostéodensitométrie"),
    "CR": N_("Radiographie"),
    "CT": N_("Scanner"),
    "DX": N_("Radiographie"),
    "ECG": N_("Électrocardiogramme"),
    "ES": N_("Endoscopie"),
    "GM": N_("Microscopie"),
    "IO": N_("Radiographie dentaire"),
    "IVOCT": N_("Tomographie par cohérence optique"),
    "IVUS": N_("Échographie endovasculaire"),
    "KO": N_("Sélection d’images"),
    "MG": N_("Mammographie"),
    "MR": N_("IRM"),
    "NM": N_("Scintigraphie"),
    "OCT": N_("Tomographie par cohérence optique"),
    "OP": N_("Photographie de l’œil"),
    "OPT": N_("Tomographie de l’œil"),
    "OT": N_("Autre"),
    "PR": N_("Présentation d’images"),
    "PT": N_("TEP"),
    "PX": N_("Panoramique dentaire"),
    "RF": N_("Radioscopie"),
    "RG": N_("Radiographie"),
    "RTIMAGE": N_("Image de radiothérapie"),
    "SM": N_("Microscopie de lames"),
    "SR": N_("Compte rendu structuré"),
    "US": N_("Échographie"),
    "XA": N_("Angiographie"),
    "XC": N_("Photographie"),
}


def name(code: str) -> str:
    """What a modality is called; the code itself where it is none of these."""
    return _(MODALITIES[code]) if code in MODALITIES else code
