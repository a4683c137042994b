"""What an issue says, by rule, in English and French.

Invariants of the specification have their sentence here too, under their own key, for the table of definitions holds
no prose; an invariant without one is told by its expression. Codes: https://hl7.org/fhir/R4/valueset-issue-type.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

INVARIANT: Final = "invariant"
LANGUAGES: Final = ("en", "fr")


class Rule(NamedTuple):
    """The severity and issue code that a rule has by itself, and its text with `{names}` to fill."""

    severity: str
    code: str
    en: str
    fr: str


def text(rule: str, language: str = "en", values: Mapping[str, object] | None = None) -> str:
    """The text of a rule, in English when the language is not known. Raises KeyError for an unknown rule."""
    entry = RULES[rule]
    template = entry.fr if language == "fr" else entry.en
    return template.format_map({key: _short(value) for key, value in values.items()}) if values else template


def _short(value: object) -> str:
    try:
        said = str(value)
    except ValueError:
        said = "…"
    return said if len(said) <= 200 else f"{said[:200]}…"


def _rule(severity: str, code: str, en: str, fr: str) -> Rule:
    return Rule(severity, code, en, fr)


RULES: Final[dict[str, Rule]] = {
    INVARIANT: _rule(
        "error", "invariant", "Rule {rule_key} is not met: {human}", "La règle {rule_key} n'est pas respectée : {human}"
    ),
    "invariant-failed": _rule(
        "warning",
        "exception",
        "Rule {rule_key} could not be evaluated: {reason}",
        "La règle {rule_key} n'a pas pu être évaluée : {reason}",
    ),
    # JSON shapes
    "object": _rule(
        "error", "structure", "An object was expected, not {found}.", "Un objet était attendu, pas {found}."
    ),
    "array": _rule(
        "error", "structure", "An array was expected, not {found}.", "Un tableau était attendu, pas {found}."
    ),
    "single": _rule(
        "error",
        "structure",
        "A single value was expected, not an array.",
        "Une seule valeur était attendue, pas un tableau.",
    ),
    "empty-object": _rule("error", "structure", "The object is empty.", "L'objet est vide."),
    "empty-array": _rule("error", "structure", "The array is empty.", "Le tableau est vide."),
    "null": _rule("error", "structure", "null is not allowed here.", "null n'est pas admis ici."),
    "null-pair": _rule(
        "error",
        "structure",
        "null needs an object at the same index of '_{name}'.",
        "null exige un objet au même rang dans '_{name}'.",
    ),
    "pair-length": _rule(
        "error",
        "structure",
        "'{name}' and '_{name}' differ in length.",
        "'{name}' et '_{name}' n'ont pas la même longueur.",
    ),
    "unknown-element": _rule(
        "error", "structure", "Unknown element '{name}'{hint}.", "Élément inconnu '{name}'{hint}."
    ),
    "unknown-choice": _rule(
        "error",
        "structure",
        "'{name}': {element}[x] has no such type; it may be {types}.",
        "'{name}' : {element}[x] n'admet pas ce type ; il peut être {types}.",
    ),
    "pair-complex": _rule(
        "error",
        "structure",
        "'{name}': only a primitive element has a member with an underscore.",
        "'{name}' : seul un élément primitif a un membre avec un tiret bas.",
    ),
    "choice": _rule(
        "error",
        "structure",
        "Only one of {names} may be present.",
        "Un seul parmi {names} peut être présent.",
    ),
    "resource-type": _rule(
        "error", "structure", "The resource lacks 'resourceType'.", "Il manque 'resourceType' à la ressource."
    ),
    "resource-unknown": _rule(
        "error", "structure", "'{name}' is not a resource type of R4.", "'{name}' n'est pas un type de ressource R4."
    ),
    "depth": _rule("error", "too-long", "Nested too deeply.", "Imbrication trop profonde."),
    # Cardinality
    "min": _rule("error", "required", "'{name}' is required.", "'{name}' est obligatoire."),
    "min-count": _rule(
        "error",
        "required",
        "'{name}' is required {min} times; found {found}.",
        "'{name}' est obligatoire {min} fois ; trouvé {found}.",
    ),
    "max": _rule(
        "error",
        "structure",
        "'{name}' may occur {max} times at most; found {found}.",
        "'{name}' peut figurer {max} fois au plus ; trouvé {found}.",
    ),
    # Primitive values
    "json-type": _rule(
        "error",
        "structure",
        "A {type} is a JSON {expected}; found {found}.",
        "Un {type} est un {expected} JSON ; trouvé {found}.",
    ),
    "format": _rule("error", "value", "'{value}' is not a valid {type}.", "'{value}' n'est pas un {type} valide."),
    "urn-form": _rule("error", "value", "'{value}' is no URN of its kind.", "'{value}' n'est pas un URN de ce genre."),
    "calendar": _rule(
        "error", "value", "'{value}' is not a date of the calendar.", "'{value}' n'est pas une date du calendrier."
    ),
    "range": _rule(
        "error",
        "value",
        "{value} is out of range for {type}: {low} to {high}.",
        "{value} est hors des bornes de {type} : {low} à {high}.",
    ),
    "string-empty": _rule(
        "error", "value", "The text is empty; leave the element out.", "Le texte est vide ; omettez l'élément."
    ),
    "string-blank": _rule(
        "warning", "value", "The text holds only white space.", "Le texte ne contient que des espaces."
    ),
    "string-control": _rule(
        "error",
        "value",
        "The text holds the control character U+{code}.",
        "Le texte contient le caractère de commande U+{code}.",
    ),
    "string-long": _rule(
        "error",
        "too-long",
        "The text has {length} characters; 1,048,576 are allowed.",
        "Le texte a {length} caractères ; 1 048 576 sont admis.",
    ),
    "base64": _rule("error", "value", "Not base64 (RFC 4648).", "Pas du base64 (RFC 4648)."),
    "uuid-case": _rule(
        "warning", "value", "'{value}': a UUID is written in lower case.", "'{value}' : un UUID s'écrit en minuscules."
    ),
    "canonical-absolute": _rule(
        "warning",
        "value",
        "The canonical '{value}' is not an absolute URL.",
        "L'URL canonique '{value}' n'est pas absolue.",
    ),
    # Codes
    "code": _rule(
        "error",
        "code-invalid",
        "{value} is not in the value set {value_set} ({strength} binding).",
        "{value} n'est pas dans le jeu de valeurs {value_set} (liaison {strength}).",
    ),
    "code-absent": _rule(
        "error",
        "code-invalid",
        "A code of the value set {value_set} is needed ({strength} binding).",
        "Un code du jeu de valeurs {value_set} est attendu (liaison {strength}).",
    ),
    "code-unchecked": _rule(
        "warning",
        "not-found",
        "{value} was not checked: the value set {value_set} draws on a code system that is not here.",
        "{value} n'a pas été vérifié : le jeu de valeurs {value_set} dépend d'un système de codes absent ici.",
    ),
    "code-extensible": _rule(
        "warning",
        "code-invalid",
        "{value} is not in the value set {value_set}, which is to be used if it has a fitting code.",
        "{value} n'est pas dans le jeu de valeurs {value_set}, à utiliser s'il a un code qui convient.",
    ),
    "code-other": _rule(
        "information",
        "code-invalid",
        "{value} is from another code system than the value set {value_set}, which is to be used if it fits.",
        "{value} vient d'un autre système de codes que le jeu de valeurs {value_set}, à utiliser s'il convient.",
    ),
    "code-absent-extensible": _rule(
        "information",
        "code-invalid",
        "No code: the value set {value_set} may have one that fits.",
        "Pas de code : le jeu de valeurs {value_set} en a peut-être un qui convient.",
    ),
    "code-unchecked-extensible": _rule(
        "information",
        "not-found",
        "{value} was not checked: the value set {value_set} draws on a code system that is not here.",
        "{value} n'a pas été vérifié : le jeu de valeurs {value_set} dépend d'un système de codes absent ici.",
    ),
    "code-unknown": _rule(
        "warning",
        "code-invalid",
        "The code system {system} has no code '{value}'.",
        "Le système de codes {system} n'a pas de code '{value}'.",
    ),
    "display": _rule(
        "warning",
        "code-invalid",
        "The display of {system}#{code} is '{expected}', not '{value}'.",
        "Le libellé de {system}#{code} est '{expected}', pas '{value}'.",
    ),
    "ucum": _rule("warning", "code-invalid", "'{value}' is not a unit of UCUM.", "'{value}' n'est pas une unité UCUM."),
    # References
    "reference-format": _rule(
        "error",
        "value",
        "'{value}' is not a reference: Type/id, an absolute URL, a URN or #id.",
        "'{value}' n'est pas une référence : Type/id, URL absolue, URN ou #id.",
    ),
    "reference-target": _rule(
        "error",
        "structure",
        "A reference to {found} is not allowed here; allowed: {allowed}.",
        "Une référence à {found} n'est pas admise ici ; admis : {allowed}.",
    ),
    "reference-type": _rule(
        "error",
        "structure",
        "The reference leads to {found}, but its type says {type}.",
        "La référence mène à {found}, mais son type indique {type}.",
    ),
    "reference-contained": _rule(
        "error",
        "not-found",
        "No contained resource has the id '{value}'.",
        "Aucune ressource incluse n'a l'id '{value}'.",
    ),
    "reference-entry": _rule(
        "warning", "not-found", "No entry of the Bundle is '{value}'.", "Aucune entrée du Bundle n'est '{value}'."
    ),
    "reference-profile": _rule(
        "error",
        "structure",
        "The target {value} meets none of the profiles asked for: {profiles}.",
        "La cible {value} ne respecte aucun des profils demandés : {profiles}.",
    ),
    "aggregation": _rule(
        "error",
        "structure",
        "The target is {found}; allowed here: {allowed}.",
        "La cible est {found} ; admis ici : {allowed}.",
    ),
    # Bundles
    "full-url": _rule(
        "error",
        "invalid",
        "The fullUrl {url} does not end in the resource's id '{id}'.",
        "Le fullUrl {url} ne se termine pas par l'id '{id}' de la ressource.",
    ),
    "full-url-absolute": _rule(
        "error", "value", "The fullUrl '{url}' is not absolute.", "Le fullUrl '{url}' n'est pas absolu."
    ),
    # Extensions
    "extension-unknown": _rule(
        "information",
        "informational",
        "The extension {url} is not known here.",
        "L'extension {url} n'est pas connue ici.",
    ),
    "extension-relative": _rule(
        "error",
        "value",
        "The extension's url '{url}' is not absolute.",
        "L'url de l'extension '{url}' n'est pas absolue.",
    ),
    "modifier-unknown": _rule(
        "error",
        "extension",
        "The modifier extension {url} is not known here: what it changes cannot be told.",
        "L'extension modificatrice {url} n'est pas connue ici : on ne sait ce qu'elle change.",
    ),
    "extension-context": _rule(
        "error",
        "extension",
        "The extension {url} may not stand here; it belongs on {contexts}.",
        "L'extension {url} n'a pas sa place ici ; elle se met sur {contexts}.",
    ),
    "extension-modifier": _rule(
        "error",
        "extension",
        "The extension {url} is a modifier: it belongs in modifierExtension.",
        "L'extension {url} est modificatrice : sa place est dans modifierExtension.",
    ),
    "extension-plain": _rule(
        "error",
        "extension",
        "The extension {url} is not a modifier: it belongs in extension.",
        "L'extension {url} n'est pas modificatrice : sa place est dans extension.",
    ),
    # Narrative
    "xhtml-syntax": _rule("error", "structure", "Not well-formed XHTML: {reason}", "XHTML mal formé : {reason}"),
    "xhtml-root": _rule(
        "error",
        "structure",
        "The narrative must be one <div> in the XHTML namespace.",
        "Le narratif doit être un seul <div> de l'espace de noms XHTML.",
    ),
    "txt-1": _rule(
        "error",
        "invariant",
        "'{name}' is not allowed in a narrative.",
        "'{name}' n'est pas admis dans un narratif.",
    ),
    "txt-2": _rule("error", "invariant", "The narrative is blank.", "Le narratif est vide."),
    # Profiles
    "profile-unknown": _rule(
        "warning",
        "not-found",
        "The profile {url} is not known here and was not checked.",
        "Le profil {url} n'est pas connu ici et n'a pas été vérifié.",
    ),
    "profile-version": _rule(
        "warning",
        "not-found",
        "Version {asked} of the profile {url} is not known here; {found} was checked.",
        "La version {asked} du profil {url} n'est pas connue ici ; {found} a été vérifiée.",
    ),
    "profile-type": _rule(
        "error",
        "invalid",
        "The profile {url} is for {expected}, not for {found}.",
        "Le profil {url} concerne {expected}, pas {found}.",
    ),
    "fixed": _rule(
        "error", "value", "The value must be exactly {expected}.", "La valeur doit être exactement {expected}."
    ),
    "pattern": _rule("error", "value", "The value must hold {expected}.", "La valeur doit contenir {expected}."),
    "min-value": _rule("error", "value", "{value} is less than {limit}.", "{value} est inférieur à {limit}."),
    "max-value": _rule("error", "value", "{value} is greater than {limit}.", "{value} est supérieur à {limit}."),
    "max-length": _rule(
        "error",
        "too-long",
        "The text has {length} characters; {max} are allowed.",
        "Le texte a {length} caractères ; {max} sont admis.",
    ),
    "type": _rule(
        "error",
        "structure",
        "{found} is not allowed here; allowed: {allowed}.",
        "{found} n'est pas admis ici ; admis : {allowed}.",
    ),
    "type-profile": _rule(
        "error",
        "structure",
        "None of the profiles asked for is met: {profiles}.",
        "Aucun des profils demandés n'est respecté : {profiles}.",
    ),
    "slice-min": _rule(
        "error",
        "required",
        "The slice '{slice}' of '{name}' is required {min} times; found {found}.",
        "La tranche '{slice}' de '{name}' est obligatoire {min} fois ; trouvée {found}.",
    ),
    "slice-max": _rule(
        "error",
        "structure",
        "The slice '{slice}' of '{name}' may occur {max} times at most; found {found}.",
        "La tranche '{slice}' de '{name}' peut figurer {max} fois au plus ; trouvée {found}.",
    ),
    "slice-closed": _rule(
        "error",
        "structure",
        "This fits none of the slices of '{name}', and no others are allowed: {slices}.",
        "Ceci n'entre dans aucune tranche de '{name}', et nulle autre n'est admise : {slices}.",
    ),
    "slice-end": _rule(
        "error",
        "structure",
        "What fits no slice of '{name}' must come after all that does.",
        "Ce qui n'entre dans aucune tranche de '{name}' doit venir après le reste.",
    ),
    "slice-order": _rule(
        "error",
        "structure",
        "The slice '{slice}' of '{name}' is out of order.",
        "La tranche '{slice}' de '{name}' n'est pas à sa place.",
    ),
    "slice-several": _rule(
        "information",
        "informational",
        "This fits several slices of '{name}' ({slices}); '{slice}' accepts it.",
        "Ceci entre dans plusieurs tranches de '{name}' ({slices}) ; '{slice}' l'accepte.",
    ),
    # National health identity (INS)
    "ins-form": _rule(
        "warning",
        "value",
        "'{value}' is not a matricule INS: sex, year, month, department, commune, order, key; 15 characters.",
        "'{value}' n'est pas un matricule INS : sexe, année, mois, département, commune, ordre, clé ; 15 caractères.",
    ),
    "ins-key": _rule(
        "error",
        "value",
        "The key of the matricule INS {value} should be {expected}.",
        "La clé du matricule INS {value} devrait être {expected}.",
    ),
    "ins-sex": _rule(
        "warning",
        "business-rule",
        "The gender {found} disagrees with the matricule INS, which begins with {digit}.",
        "Le sexe {found} ne concorde pas avec le matricule INS, qui commence par {digit}.",
    ),
    "ins-birth": _rule(
        "warning",
        "business-rule",
        "The birth date {found} disagrees with the matricule INS: year {year}, month {month}.",
        "La date de naissance {found} ne concorde pas avec le matricule INS : année {year}, mois {month}.",
    ),
    "ins-place": _rule(
        "warning",
        "business-rule",
        "The birth place {found} disagrees with the matricule INS: {place}.",
        "Le lieu de naissance {found} ne concorde pas avec le matricule INS : {place}.",
    ),
    "ins-test": _rule(
        "error",
        "business-rule",
        "{system} is for tests and demonstrations: production does not take it.",
        "{system} est réservé aux tests et aux démonstrations : la production ne l'accepte pas.",
    ),
    "ins-status": _rule(
        "error",
        "business-rule",
        "An INS belongs to an identity whose status is VALI: production takes no other.",
        "Un INS appartient à une identité de statut VALI : la production n'en accepte pas d'autre.",
    ),
}
