"""What the page of a document says of itself, by language."""

from __future__ import annotations

from typing import Final, Literal

Language = Literal["fr", "en"]

LABELS: Final[dict[Language, dict[str, str]]] = {
    "fr": {
        "type": "Document",
        "date": "Date",
        "patient": "Patient",
        "born": "Né(e) le",
        "gender": "Sexe",
        "F": "Féminin",
        "M": "Masculin",
        "author": "Auteur",
        "custodian": "Conservé par",
        "file": "Le corps du document est un fichier",
    },
    "en": {
        "type": "Document",
        "date": "Date",
        "patient": "Patient",
        "born": "Born",
        "gender": "Sex",
        "F": "Female",
        "M": "Male",
        "author": "Author",
        "custodian": "Kept by",
        "file": "The body of the document is a file",
    },
}
