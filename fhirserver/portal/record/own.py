"""What the pages share by which a person enters something: whose it is, what is wrong in words, sent once."""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING, Any, Final

from flask import abort, request

from fhirserver.access import entered
from fhirserver.espace.profile.typed import LONGEST
from fhirserver.portal import dates, language
from fhirserver.portal.language import N_, _
from fhirserver.portal.record.space import Refused, access_of, shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import date

    from fhirserver.espace.profile.tables import Names
    from fhirserver.portal.record.space import Resource, Space

SENT: Final = "urn:fhirserver:form"
"""System of the identifier that a filled form gives what it stores: sent twice, it is stored once."""
_WRONG: Final[Mapping[str, str]] = {
    "required": N_("À remplir."),
    "either": N_("Choisissez dans la liste, ou écrivez ce que c’est."),
    "long": N_("%(most)s caractères au plus."),
    "text": N_("Il y a là un caractère qui ne s’écrit pas : retapez ce texte."),
    "number": N_("Écrivez un nombre, par exemple 72,5."),
    "decimals": N_("Trop de chiffres après la virgule."),
    "range": N_("Cette valeur n’est pas vraisemblable : vérifiez-la, et l’unité."),
    "date": N_("Écrivez une date : JJ/MM/AAAA, MM/AAAA ou AAAA."),
    "future": N_("Cette date est dans l’avenir."),
    "order": N_("La fin est avant le début."),
    "choice": N_("Choisissez dans la liste."),
}
_LATE: Final = N_("Cela a été modifié entre-temps : vérifiez ce qui est enregistré.")
_REFUSED: Final = N_("Cela n’a pas été accepté : %(told)s")
_DAY: Final = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d))?)?")


def name(names: Names) -> str:
    """What something is called in the language of the page."""
    return names.en if language.current() == language.ENGLISH else names.fr


def wrong(key: str) -> str:
    """What is wrong with a field, in words."""
    return _(_WRONG[key], most=LONGEST) if key == "long" else _(_WRONG[key])


def refusal(refused: Refused) -> tuple[int, str]:
    """Status and words for what the API did not do."""
    if refused.status in (409, 412):
        return 409, _(_LATE)
    return 403 if refused.status in (403, 405) else 422, _(_REFUSED, told=refused.told)


def today(space: Space) -> date:
    return access_of(space).now.astimezone(dates.zone()).date()


def person(space: Space) -> Resource:
    """The Reference of who enters."""
    who = space.subject
    reference = f"Patient/{space.id}" if who.kind == "patient" else who.id
    return {"reference": reference} | ({"display": who.name} if who.name else {})


def is_entered(resource: Mapping[str, Any]) -> bool:
    """Whether the person, or a representative, said it."""
    return bool(entered.marks(resource))


def is_mine(space: Space, resource: Mapping[str, Any]) -> bool:
    """Whether who is logged in may change it: the holder what representatives entered, too."""
    kind = space.subject.kind
    return is_entered(resource) and (kind == "patient" or entered.CODES.get(kind) in entered.marks(resource))


def new_sending() -> str:
    return uuid.uuid4().hex


def store(space: Space, resources: Iterable[Resource]) -> None:
    """Creates what a form says, once for each time that the form was shown. Raises Refused."""
    sending = request.form.get("envoi", "")
    if not re.fullmatch(r"[0-9a-f]{32}", sending):
        abort(400)
    for place, each in enumerate(resources):
        value = f"{sending}-{place}"
        known = {**each, "identifier": [{"system": SENT, "value": value}]}
        space.ask("POST", each["resourceType"], known, If_None_Exist=f"identifier={SENT}%7C{value}")


def replace(space: Space, resource: Resource) -> None:
    """Stores the next version of what was shown. Raises Refused."""
    space.ask("PUT", f"{resource['resourceType']}/{resource['id']}", resource, If_Match=_shown())


def remove(space: Space, resource: Resource) -> None:
    """Deletes the version that was shown. Raises Refused."""
    space.ask("DELETE", f"{resource['resourceType']}/{resource['id']}", If_Match=_shown())


def day(text: str) -> str:
    """A FHIR date as it is typed."""
    found = _DAY.match(text)
    return "/".join(each for each in reversed(found.groups()) if each) if found else ""


def _shown() -> str:
    return shown(request.form.get("version", ""))
