"""The French texts of the pages, as templates and modules mark them to be translated."""

from __future__ import annotations

import ast
import csv
import re
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from flask import Flask
from jinja2 import nodes

from fhirserver.auth.accounts.passwords import refusal
from fhirserver.portal import language
from fhirserver.portal.browser import UNKNOWN_DEVICE
from fhirserver.portal.record.wording import document_types

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jinja2 import Environment

PORTAL = Path(str(resources.files("fhirserver.portal")))
TEMPLATES = PORTAL / "templates"
_WORD = re.compile(r"[A-Za-zÀ-ÿ]{2}")
_FRENCH = re.compile(r"[À-ÖØ-öø-ÿœ’«]")
_NAMES = frozenset({"FINESS", "RPPS", "INS", "ABO", "RhD"})
_MARKS = ("_", "gettext", "ngettext")


class Text(NamedTuple):
    where: str
    words: str


@cache
def environment() -> Environment:
    app = Flask("texts", template_folder=str(TEMPLATES))
    language.install(app.jinja_env)
    return app.jinja_env


def templates() -> list[str]:
    return sorted(str(each.relative_to(TEMPLATES)) for each in TEMPLATES.rglob("*.html"))


def marked() -> list[Text]:
    """Every text that is translated somewhere."""
    return [*(each for name in templates() for each in in_template(name)), *in_modules(), *of_other_rooms()]


def in_template(name: str) -> Iterator[Text]:
    found = environment().extract_translations((TEMPLATES / name).read_text("utf-8"), gettext_functions=_MARKS)  # type: ignore[attr-defined]
    for line, _, words in found:
        for each in words if isinstance(words, tuple) else (words,):
            if each is not None:
                yield Text(f"templates/{name}:{line}", each)


def of_variables(name: str) -> list[str]:
    """Where a template translates what is not a constant, which would be taken for HTML."""
    tree = environment().parse((TEMPLATES / name).read_text("utf-8"))
    return [
        f"templates/{name}:{call.lineno}"
        for call in tree.find_all(nodes.Call)
        if isinstance(call.node, nodes.Name) and call.node.name in _MARKS and not isinstance(call.args[0], nodes.Const)
    ]


def unmarked(name: str) -> list[str]:
    """What a template says that is not marked to be translated: between tags, and in attributes that are read out."""
    source = (TEMPLATES / name).read_text("utf-8")
    plain = re.sub(r"{% trans.*?endtrans %}|{#.*?#}|{%.*?%}|{{.*?}}", _as_many_lines, source, flags=re.DOTALL)
    told = [*re.findall(r'\b(?:alt|aria-label|title|placeholder)="([^"]*)"', plain)]
    told += re.sub(r"<[^>]*>", "\n", plain).split("\n")
    return [each.strip() for each in told if _WORD.search(each) and each.strip() not in _NAMES]


def literals() -> Iterator[Text]:
    """French texts of modules that no mark stands at, as far as their letters tell."""
    for path in sorted(PORTAL.rglob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        spoken = {id(each) for call in _marking(tree) for each in call.args}
        prose = {id(each.value) for each in ast.walk(tree) if isinstance(each, ast.Expr)}
        for each in ast.walk(tree):
            if not isinstance(each, ast.Constant) or id(each) in spoken | prose:
                continue
            if isinstance(each.value, str) and _FRENCH.search(each.value):
                yield Text(str(path.relative_to(PORTAL)), each.value)


def _marking(tree: ast.AST) -> Iterator[ast.Call]:
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in ("_", "N_", "of_number"):
            yield call


def _as_many_lines(found: re.Match[str]) -> str:
    return "\n" * found[0].count("\n")


def of_other_rooms() -> Iterator[Text]:
    """What other rooms say to the person, which the pages translate as it comes."""
    for password, own in (
        ("court", ()),
        ("a" * 200, ()),
        ("Grandjean1984!", ("Grandjean", "1984")),
        ("azertyuiopqs", ()),
    ):
        yield Text("auth/accounts/passwords.py", str(refusal(password, own)))
    yield Text("browser.py", UNKNOWN_DEVICE)
    yield from (Text("JDV_J07", name) for name in document_types().values())


def in_modules() -> Iterator[Text]:
    for path in sorted(PORTAL.rglob("*.py")):
        for call in _marking(ast.parse(path.read_text("utf-8"))):
            for each in call.args:
                if isinstance(each, ast.Constant) and isinstance(each.value, str):
                    yield Text(f"{path.relative_to(PORTAL)}:{call.lineno}", each.value)


def tables() -> list[Text]:
    """Each row's French text, with where it stands."""
    return [Text(where, row["fr"]) for where, row in rows()]


def rows() -> Iterator[tuple[str, dict[str, str]]]:
    for path in sorted((PORTAL / "english").glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as lines:
            for number, row in enumerate(csv.DictReader(lines), 2):
                yield f"english/{path.name}:{number}", row
