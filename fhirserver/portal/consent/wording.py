"""What an app asks, in plain words: one line for each thing that can be refused by itself.

Reading and writing are two lines; `patient/*.rs` is a line for each family of data (`espace/types.csv`,
`families.csv`).
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final, NamedTuple

from fhirserver.access.scopes import Scope, parse
from fhirserver.auth.server import scopes
from fhirserver.portal.language import N_, _, words
from fhirserver.tables import rows as rows_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_VERBS: Final = {
    "r": N_("consulter"), "s": N_("consulter"), "c": N_("ajouter"), "u": N_("modifier"), "d": N_("supprimer")
}  # fmt: skip
_SIDES: Final = ("rs", "cud")


class Item(NamedTuple):
    """One line of the consent screen: `key` names it in the form; `scopes` are granted when it is ticked. `writes`:
    what is granted changes the record."""

    key: str
    words: str
    scopes: tuple[str, ...]
    hint: str = ""
    writes: bool = False


def items(asked: Iterable[str], lasting: Mapping[str, str]) -> list[Item]:
    """The lines for the scopes that may be granted. `lasting`: by `offline_access` and `online_access`, until when."""
    asked = tuple(asked)
    found = [item for scope in scopes.of_resources(asked) for item in _of_scope(scope)]
    identity = tuple(each for each in asked if each in scopes.IDENTITY)
    if identity:
        plain = _("Savoir qui vous êtes : votre identifiant")
        named = _("Savoir qui vous êtes : votre identifiant et votre nom")
        found.append(Item("openid", named if "profile" in identity else plain, identity))
    found += [Item(each, title, (each,)) for each, title in lasting.items() if each in asked]
    return list({item.key: item for item in found}.values())


def _of_scope(scope: Scope) -> Iterator[Item]:
    for side in _SIDES:
        letters = "".join(each for each in scope.letters if each in side)
        if not letters:
            continue
        part = scope._replace(letters=letters)
        if scope.type != "*":
            yield _item(part, scopes.text(part), _of_type(part), (scopes.text(part),))
            continue
        for family, title in families().items():
            granted = [part._replace(type=type_) for type_, each in types().items() if each[1] == family]
            yield _item(part, f"{scope.level}/{family}.{letters}", title, tuple(scopes.text(each) for each in granted))


def _item(scope: Scope, key: str, what: str, granted: tuple[str, ...]) -> Item:
    verbs = list(dict.fromkeys(_(_VERBS[each]) for each in scope.letters))
    told = _(" et ").join(filter(None, (", ".join(verbs[:-1]), verbs[-1])))
    where = _(", dans tous les dossiers auxquels vous avez accès") if scope.level == "user" else ""
    limit = categories().get(scope.query or "")
    narrow = _(" (seulement %(limit)s)", limit=limit) if limit else ""
    hint = _("Seulement ce qui répond à « %(query)s ».", query=scope.query) if scope.query and not limit else ""
    return Item(
        key,
        _("%(verbs)s : %(what)s", verbs=told.capitalize(), what=f"{what}{narrow}{where}"),
        granted,
        hint,
        scope.letters[0] in "cud",
    )


def _of_type(scope: Scope) -> str:
    known = types().get(scope.type)
    return known[0] if known else _("données de type « %(type)s »", type=scope.type)


def types() -> dict[str, tuple[str, str]]:
    """By resource type: its words, and its family."""
    return {row["type"]: (words(row), row["family"]) for row in _rows("types.csv", "fhirserver.espace")}


def families() -> dict[str, str]:
    return {row["family"]: words(row) for row in _rows("families.csv")}


def categories() -> dict[str, str]:
    """By the search part of a granular scope: what it leaves."""
    return {row["query"]: words(row) for row in _rows("categories.csv")}


@cache
def _rows(name: str, package: str = __package__) -> list[dict[str, str]]:
    return rows_of(package, name)


def known(asked: Iterable[str], resource_types: Iterable[str]) -> tuple[str, ...]:
    """Those of the scopes that are about types that there are."""
    types_ = {*resource_types, "*"}
    return tuple(each for each in asked if (scope := parse(each)) is None or scope.type in types_)
