"""Who sees a record or a document, in plain words: the rows of `$who-can-see`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fhirserver.portal.federation.wording import profession
from fhirserver.portal.language import N_, _
from fhirserver.portal.parameters import value, values

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from fhirserver.portal.record.space import Space

_PURPOSES: Final = {
    "TREAT": N_("pour les soins"),
    "BTG": N_("en urgence, en disant pourquoi"),
    "ETREAT": N_("SAMU-Centre 15"),
}
_KINDS: Final = {
    "holder": N_("La personne dont c’est le dossier"),
    "representative": N_("Ses représentants, jusqu’à sa majorité"),
    "relative": N_("Un proche"),
    "practitioner": N_("Tout professionnel"),
    "system": N_("Le logiciel d’un établissement, pour ce qu’il a déposé"),
}
_UNTOLD: Final = frozenset({"operator"})
"""Who is told once, below the table."""


class Seer(NamedTuple):
    """A row. `named`: who it is, not what. `excepted`: whom, and `besides`: acting as what, it does not speak of."""

    who: str
    details: str
    purposes: tuple[str, ...]
    excepted: tuple[str, ...]
    besides: tuple[str, ...]
    named: bool


def seers(space: Space, resource: str) -> list[Seer]:
    """Who sees a resource of the record, those who are named first."""
    found = space.read(f"Patient/{space.id}/$who-can-see", ("resource", resource))
    rows = [each["part"] for each in found["parameter"] if each["name"] == "seer"]
    told = [_seer(parts) for parts in rows if value(parts, "kind") not in _UNTOLD]
    return united(told)


def united(told: Iterable[Seer]) -> list[Seer]:
    """One row for each who is named, whatever he acts as; another one where that adds something."""
    whole: dict[tuple[str, tuple[str, ...]], Seer] = {}
    found: list[tuple[Seer, tuple[str, tuple[str, ...]]]] = []
    for each in told:
        key = each.who, each.excepted
        if each.named and not each.details:
            had = whole.get(key, each)
            purposes = tuple(dict.fromkeys((*had.purposes, *each.purposes)))
            whole[key] = each._replace(purposes=purposes, besides=())
        found.append((each, key))
    rows = [
        whole[key] if key in whole and set(each.purposes) <= set(whole[key].purposes) else each for each, key in found
    ]
    return list(dict.fromkeys(rows))


def _seer(parts: list[dict[str, Any]]) -> Seer:
    kind = str(value(parts, "kind"))
    who = value(parts, "who")
    organization = value(parts, "organization")
    professions = dict.fromkeys(_coding(each) for each in values(parts, "profession"))
    details = [*professions]
    if isinstance(organization, dict):
        name = _reference(organization)
        details.append(_("pour %(name)s", name=name) if name else _("pour un établissement"))
    purposes = [_(_PURPOSES.get(str(each), str(each))) for each in values(parts, "purpose")]
    excluded = values(parts, "except")
    excepted = dict.fromkeys(filter(None, (_reference(each) for each in excluded if "code" not in each)))
    besides = dict.fromkeys(_acting(each) for each in excluded if "code" in each)
    named = _reference(who) if isinstance(who, dict) and kind not in ("holder", "representative") else ""
    if kind == "representative" and isinstance(who, dict):
        named = _("Un représentant légal")
    who = named or _(_KINDS.get(kind, kind))
    return Seer(who, ", ".join(details), tuple(purposes), tuple(excepted), tuple(besides), bool(named))


def _acting(value: Mapping[str, Any]) -> str:
    code = str(value["code"])
    return f"{_coding(value)} ({code.partition('/')[2]})" if "/" in code else _coding(value)


def _coding(value: Mapping[str, Any]) -> str:
    code = str(value.get("code") or "")
    known = profession(code)
    return known if known != code else str(value.get("display") or code)


def _reference(value: Mapping[str, Any]) -> str:
    number = str((value.get("identifier") or {}).get("value", ""))
    name = str(value.get("display", ""))
    return f"{name} ({number})" if name and number else name or number or str(value.get("reference", ""))
