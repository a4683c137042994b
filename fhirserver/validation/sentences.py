"""The invariants that a caller meets most, said in words: key -> (English, French).

Others are told by their expression. Keys that several types share for different rules (`inv-1`) are not here.
"""

from __future__ import annotations

from typing import Final

SENTENCES: Final[dict[str, tuple[str, str]]] = {
    "ele-1": ("an element has a value or children", "un élément a une valeur ou des enfants"),
    "ext-1": ("an extension has either a value or extensions", "une extension a soit une valeur, soit des extensions"),
    "dom-2": ("contained resources contain none", "les ressources incluses n'en incluent pas d'autres"),
    "dom-3": (
        "each contained resource is referred to from the resource, or refers to it",
        "chaque ressource incluse est référencée par la ressource, ou la référence",
    ),
    "dom-4": (
        "contained resources have no versionId and no lastUpdated",
        "les ressources incluses n'ont ni versionId ni lastUpdated",
    ),
    "dom-5": (
        "contained resources have no security label",
        "les ressources incluses n'ont pas d'étiquette de sécurité",
    ),
    "dom-6": ("a resource should have a narrative", "une ressource devrait avoir un narratif"),
    "per-1": ("a period does not end before it starts", "une période ne finit pas avant de commencer"),
    "qty-3": ("a coded unit has a system", "une unité codée a un système"),
    "cpt-2": ("a contact point with a value has a system", "un moyen de contact qui a une valeur a un système"),
    "att-1": ("data has a content type", "des données ont un contentType"),
    "rng-2": ("low is not greater than high", "low n'est pas supérieur à high"),
    "rat-1": (
        "a ratio has numerator and denominator, or neither and an extension",
        "un rapport a numérateur et dénominateur, ou aucun des deux et une extension",
    ),
    "sqty-1": ("a simple quantity has no comparator", "une quantité simple n'a pas de comparateur"),
    "pat-1": (
        "a contact has a name, a telecom, an address or an organization",
        "un contact a un nom, un moyen de contact, une adresse ou une organisation",
    ),
    "org-1": ("an organization has a name or an identifier", "une organisation a un nom ou un identifiant"),
    "org-2": ("an organization's address is never of use home", "l'adresse d'une organisation n'est jamais 'home'"),
    "org-3": ("an organization's telecom is never of use home", "le contact d'une organisation n'est jamais 'home'"),
    "obs-3": ("a reference range has low, high or text", "un intervalle de référence a low, high ou text"),
    "obs-6": ("dataAbsentReason only without a value", "dataAbsentReason seulement sans valeur"),
    "obs-7": (
        "with a value, no component has the code of the observation",
        "avec une valeur, aucun composant n'a le code de l'observation",
    ),
    "con-4": ("an abated condition is inactive, resolved or in remission", "un problème fini est inactif ou résolu"),
    "con-5": (
        "a condition entered in error has no clinicalStatus",
        "un problème saisi par erreur n'a pas de clinicalStatus",
    ),
    "app-2": ("an appointment has both start and end or neither", "un rendez-vous a début et fin, ou aucun des deux"),
    "app-3": (
        "only a proposed, cancelled or waitlisted appointment lacks start and end",
        "seul un rendez-vous proposé, annulé ou en attente n'a ni début ni fin",
    ),
    "bdl-1": ("total only in a searchset or history", "total seulement dans un searchset ou un historique"),
    "bdl-2": ("entry.search only in a searchset", "entry.search seulement dans un searchset"),
    "bdl-3": (
        "entry.request in every entry of a batch, transaction or history, and in no other",
        "entry.request dans toute entrée d'un batch, d'une transaction ou d'un historique, et nulle part ailleurs",
    ),
    "bdl-4": (
        "entry.response in every entry of a batch-response, transaction-response or history, and in no other",
        "entry.response dans toute entrée d'une réponse ou d'un historique, et nulle part ailleurs",
    ),
    "bdl-5": (
        "an entry has a resource, a request or a response",
        "une entrée a une ressource, une requête ou une réponse",
    ),
    "bdl-7": ("fullUrl and version are unique in a Bundle", "fullUrl et version sont uniques dans un Bundle"),
    "bdl-8": ("fullUrl names no version", "fullUrl ne nomme pas de version"),
    "bdl-9": (
        "a document has an identifier with system and value",
        "un document a un identifiant avec système et valeur",
    ),
    "bdl-10": ("a document has a timestamp", "un document a un horodatage"),
    "bdl-11": ("a document begins with a Composition", "un document commence par une Composition"),
    "bdl-12": ("a message begins with a MessageHeader", "un message commence par un MessageHeader"),
    "fr-core-1": (
        "a validated identity (VALI) has an INS of use official",
        "une identité validée (VALI) a un INS d'usage official",
    ),
    "fr-core-2": (
        "a validated identity (VALI) has exactly one identifier of use official",
        "une identité validée (VALI) a exactement un identifiant d'usage official",
    ),
    "fr-core-3": (
        "the birth place of a validated identity (VALI) is not 99999",
        "le lieu de naissance d'une identité validée (VALI) n'est pas 99999",
    ),
}
