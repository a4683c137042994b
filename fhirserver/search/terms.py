"""The vocabulary of `t`: one short string for each way in which a value can be asked for, written alike by both sides.

    code||718-7                          a code of whatever system, compared without case
    code|=|Abc                           the same, for a code that case distinguishes
    code|http://loinc.org|718-7          a code of one system
    code|-|718-7                         a code without a system
    subject|Patient/1                    a literal reference; `subject|Patient/1/_history/2` when it names a version
    subject:identifier|urn:x|123         a reference by identifier
    url|http://acme.org/a|1.0            a canonical with its version
    url|http://acme.org/a                a URI, or a canonical of any version
    questionnaire|http://acme.org/a|     a reference by canonical that names no version
    url:version|http://acme.org/a|1.0    the canonical of the resource itself, with its version
    name^dupont^Dupont                   a string, normalised and (when it differs) as it was written
    code|   name^                        there is a value, though none that can be searched

A parameter's terms all begin with its code and `|` or `^`: presence is a prefix too. Parts longer than `LONG`
characters are hashed.
"""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import TYPE_CHECKING, Final, NamedTuple

from fhirserver.search import text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

LONG: Final = 120
LONG_URI: Final = 1000
"""A URI's start can be searched (`:below`): it is kept as it is up to here."""

ID: Final = re.compile(r"[A-Za-z0-9\-.]{1,64}")
_LITERAL: Final = re.compile(
    r"(?:(?P<base>[A-Za-z][A-Za-z0-9+.\-]*:.+)/)?(?P<type>[A-Z][A-Za-z]+)/(?P<id>[A-Za-z0-9\-.]{1,64})"
    r"(?:/_history/(?P<version>[A-Za-z0-9\-.]{1,64}))?"
)
_CAPITALS: Final = str.maketrans("0123456789abcdef", "ABCDEFGHIJKLMNOP")
_RESERVED: Final = frozenset({"-", "="})
_VERSIONED: Final = "url:version"


def short(part: str, longest: int = LONG) -> str:
    """The part of a term; `#` and 32 hexadecimal digits of its hash when it is long or would read as something else."""
    if len(part) <= longest and part[:1] != "#":
        return part
    return "#" + blake2b(part.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def system_part(system: str) -> str:
    """A system as part of a term; hashed also when it holds the separator or is a reserved sign."""
    if "|" in system or system in _RESERVED:
        return "#" + blake2b(system.encode(), digest_size=16).hexdigest()
    return short(system)


def any_system(code: str, sensitive: bool) -> str:
    """`||718-7` or `|=|Abc`: what follows the parameter's name when a code is asked for without a system."""
    if not sensitive:
        return f"||{short(code.casefold())}"
    return f"||{short(code)}" if text.caseless(code) else f"|=|{short(code)}"


def with_system(system: str, code: str, sensitive: bool) -> str:
    """`|http://loinc.org|718-7`; `|-|718-7` when the system is empty: a code without one."""
    return f"|{system_part(system) if system else '-'}|{short(code if sensitive else code.casefold())}"


def of_system(system: str) -> str:
    """What all terms of a system begin with, after the parameter's name."""
    return f"|{system_part(system)}|"


def has_system(form: str) -> bool:
    """Whether a form is of a code with its system."""
    return not form.startswith(("||", "|=|", "|-|"))


def system_of(form: str) -> str:
    """`|http://loinc.org|718-7` -> `|http://loinc.org|`."""
    return form[: form.index("|", 1) + 1]


def token(system: str | None, code: str | None, sensitive: bool) -> list[str]:
    """The forms of one Coding or Identifier, without the parameter's name in front."""
    if not code:
        return [of_system(system)] if system else []
    return [any_system(code, sensitive), with_system(system or "", code, sensitive)]


def string(code: str, value: str) -> str:
    """The term of a text: `name^dupont^Dupont`, or `name^dupont` when that is how it is written."""
    normal = text.normal(value)
    if normal == value:
        return f"{code}^{normal}"
    return f"{code}^{normal}^{value if len(value) <= LONG else _letters(value)}"


def _letters(value: str) -> str:
    """A hash in capital letters: no normalised text that is looked for within a term (`:contains`) can occur in it."""
    digest = blake2b(value.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    return "#" + digest.translate(_CAPITALS)


def uri(code: str, value: str) -> str:
    """The term of a URI, exact; of a canonical with its version, when the value has one."""
    return f"{code}|{short(value, LONG_URI)}"


def canonical(value: str) -> tuple[str, ...]:
    """A canonical as it is, and without its version when it has one."""
    url, separator, _ = value.partition("|")
    return (value, url) if separator else (value,)


def versioned_url(url: str, version: str) -> str:
    """The term of a resource's own canonical with its version."""
    return uri(_VERSIONED, f"{url}|{version}")


def followed(code: str, terms: Iterable[str]) -> Iterator[str]:
    """The canonicals that a parameter's terms refer to: `url|version`, or `url|` when they name no version."""
    start = f"{code}|"
    for term in terms:
        if term.startswith(start) and "|" in (found := term[len(start) :]):
            yield found


def borne(terms: Iterable[str]) -> Iterator[str]:
    """By what canonicals a resource of these terms is referred to, as `followed` gives them."""
    for term in terms:
        code, _, found = term.partition("|")
        if code == _VERSIONED:
            yield found
        elif code == "url":
            yield f"{found}|"


def bearing(canonicals: Iterable[str]) -> list[str]:
    """The terms one of which a resource has that these canonicals, as `followed` gives them, lead to."""
    return [f"url|{each[:-1]}" if each.endswith("|") else f"{_VERSIONED}|{each}" for each in canonicals]


class Literal(NamedTuple):
    """A literal reference: `key` is `Patient/1` here, an absolute URL elsewhere; always without its version."""

    key: str
    type: str | None
    id: str | None
    version: str | None

    @property
    def local(self) -> bool:
        return self.type is not None and self.key == f"{self.type}/{self.id}"

    @property
    def versioned(self) -> str | None:
        return None if self.version is None else f"{self.key}/_history/{self.version}"


def literal(reference: str, bases: Iterable[str] = ()) -> Literal | None:
    """A reference's text, with the server's own bases taken off; None for one to a contained resource."""
    if not reference or reference[0] == "#":
        return None
    found = _LITERAL.fullmatch(reference)
    if found is None:
        return Literal(reference, None, None, None)
    base, kind, identity, version = found.group("base", "type", "id", "version")
    if base is None or base in bases:
        return Literal(f"{kind}/{identity}", kind, identity, version)
    return Literal(f"{base}/{kind}/{identity}", kind, identity, version)


def references(code: str, found: Literal) -> Iterator[str]:
    """The terms of a literal reference: without its version, and with it when there is one."""
    yield uri(code, found.key)
    if found.versioned is not None:
        yield uri(code, found.versioned)


def present(code: str, kind: str) -> str:
    """What every term of a parameter begins with; alone, the mark of a value that has no term of its own."""
    return f"{code}^" if kind == "string" else f"{code}|"
