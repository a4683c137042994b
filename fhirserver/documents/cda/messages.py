"""What is said of a CDA document, in English and French: findings by rule, and reasons why a statement was left."""

from __future__ import annotations

from typing import Final, NamedTuple


class Rule(NamedTuple):
    """Severity and issue code, and the text with `{names}` to fill."""

    severity: str
    code: str
    en: str
    fr: str


RULES: Final[dict[str, Rule]] = {
    "template-unknown": Rule(
        "information",
        "informational",
        "The templateId {template} is not known here: read by its class.",
        "Le templateId {template} n'est pas connu ici : lu selon sa classe.",
    ),
    "missing": Rule(
        "error",
        "required",
        "{rule}: {element} is missing; the CI-SIS header wants {cardinality}.",
        "{rule} : {element} manque ; l'en-tête du CI-SIS en veut {cardinality}.",
    ),
    "too-few": Rule(
        "error",
        "required",
        "{rule}: only {count} times {element}; the CI-SIS header wants {cardinality}.",
        "{rule} : {element} ne figure que {count} fois ; l'en-tête du CI-SIS en veut {cardinality}.",
    ),
    "too-many": Rule(
        "error",
        "structure",
        "{rule}: {count} times {element}; the CI-SIS header takes {cardinality}.",
        "{rule} : {element} figure {count} fois ; l'en-tête du CI-SIS en admet {cardinality}.",
    ),
    "null": Rule(
        "error",
        "required",
        "{rule}: {element} takes no nullFlavor.",
        "{rule} : {element} n'admet pas de nullFlavor.",
    ),
    "value": Rule(
        "error",
        "value",
        "{rule}: {element} is {found}; expected {expected}.",
        "{rule} : {element} vaut {found} ; attendu : {expected}.",
    ),
    "identity": Rule(
        "error",
        "business-rule",
        "{rule}: an INS identifies the patient, so {element} must be there.",
        "{rule} : le patient est identifié par une INS : {element} doit être présent.",
    ),
    "code": Rule(
        "warning",
        "code-invalid",
        "{rule}: {element} is {found}, which {expected} does not hold.",
        "{rule} : {element} vaut {found}, absent de {expected}.",
    ),
    "itself": Rule(
        "error",
        "business-rule",
        "{rule}: a document does not replace itself; a new version has an id of its own.",
        "{rule} : un document ne se remplace pas lui-même ; une nouvelle version a son propre id.",
    ),
    "base64": Rule(
        "error", "value", "The content is not base64: {reason}.", "Le contenu n'est pas du base64 : {reason}."
    ),
    "not-pdf": Rule(
        "error",
        "value",
        "Declared as application/pdf, the content is not a PDF.",
        "Déclaré application/pdf, le contenu n'est pas un PDF.",
    ),
    "integrity": Rule(
        "error",
        "value",
        "integrityCheck ({algorithm}) does not agree with the content.",
        "integrityCheck ({algorithm}) ne correspond pas au contenu.",
    ),
    "compression": Rule(
        "error",
        "not-supported",
        "A body compressed as {found} is not read: send it as it is.",
        "Un corps compressé en {found} n'est pas lu : l'envoyer tel quel.",
    ),
    "body-reference": Rule(
        "warning",
        "not-supported",
        "The body is a reference ({found}), which is not fetched.",
        "Le corps est une référence ({found}), qui n'est pas suivie.",
    ),
    "stylesheet": Rule(
        "information",
        "informational",
        "The document is auto-presentable: its stylesheet is kept with it and never run.",
        "Le document est auto-présentable : sa feuille de style est conservée avec lui et jamais exécutée.",
    ),
    "body-missing": Rule(
        "error", "required", "The document has no body (component).", "Le document n'a pas de corps (component)."
    ),
    "unit": Rule(
        "warning", "code-invalid", "{found} is not a unit of UCUM.", "{found} n'est pas une unité UCUM."
    ),
    "content": Rule(
        "warning",
        "value",
        "{element}: {found} cannot be read as {expected}; it is left.",
        "{element} : {found} ne se lit pas comme {expected} ; laissé.",
    ),
    "reference-unknown": Rule(
        "warning", "not-found", "No element has the ID {found}.", "Aucun élément n'a l'ID {found}."
    ),
}  # fmt: skip
