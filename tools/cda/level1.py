"""Documents whose body is a file."""

from __future__ import annotations

from tools.cda.header import COMPLEMENT, LOUIS, PRACTICE, Document, device, pdf
from tools.cda.xml import ACT_CODE, el

DOCUMENTS: dict[str, Document] = {
    "l1-compte-rendu": Document(
        101, ("34112-3", "CR hospitalier (séjour)"), "Compte rendu d'hospitalisation", pdf("Compte rendu de sejour")
    ),
    "l1-compte-rendu-v2": Document(
        102,
        ("34112-3", "CR hospitalier (séjour)"),
        "Compte rendu d'hospitalisation",
        pdf("Compte rendu de sejour, corrige"),
        version=2,
        replaces=101,
        when="20260306090000+0100",
    ),
    "l1-consultation": Document(
        103,
        ("11488-4", "CR ou fiche de consultation ou de visite"),
        "Consultation",
        pdf("Consultation"),
        patient=LOUIS,
        structure=PRACTICE,
        act=("AMB", ACT_CODE, "Ambulatoire"),
        stay=("AMB", ACT_CODE, "Ambulatoire"),
        period=("20260304143000+0100", "20260304150000+0100"),
    ),
    "l1-certificat": Document(
        104,
        ("CERT_DECL", "Certificat, déclaration"),
        "Certificat",
        pdf("Certificat"),
        type_system=COMPLEMENT,
        structure=PRACTICE,
        act=("AMB", ACT_CODE, "Ambulatoire"),
        stay=("AMB", ACT_CODE, "Ambulatoire"),
    ),
    "l1-masque": Document(
        105,
        ("34112-3", "CR hospitalier (séjour)"),
        "Compte rendu masqué",
        pdf("Compte rendu masque"),
        confidentiality=("MASQUE_PS", "1.2.250.1.213.1.1.4.13", "Masqué aux professionnels de santé"),
    ),
    "l1-restreint": Document(
        106,
        ("68599-0", "Synthèse psychiatrique"),
        "Synthèse psychiatrique",
        pdf("Synthese"),
        confidentiality=("R", "2.16.840.1.113883.5.25", "Restreint"),
    ),
    "l1-texte": Document(
        107,
        ("11506-3", "CR ou fiche de suivi de soins par auxiliaire médical"),
        "Fiche de suivi",
        b"Pansement refait ce jour.",
        media_type="text/plain",
    ),
    "l1-dispositif": Document(
        108,
        ("29274-8", "Mesures de signes vitaux"),
        "Relevé automatique",
        pdf("Mesures"),
        header=[device("Tensio 3", "Releve 2.1", PRACTICE, "20260305100000+0100")],
    ),
    "l1-ordre": Document(
        109,
        ("18748-4", "CR d'imagerie médicale"),
        "Radiographie du thorax",
        pdf("Radiographie"),
        header=[el("inFulfillmentOf", el("order", el("id", root="1.2.250.1.213.99.7.5", extension="DEM-7")))],
    ),
}
