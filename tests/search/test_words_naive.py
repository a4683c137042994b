"""Words are found where reading every resource finds them."""

from __future__ import annotations

import re
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from fhirserver import predicate
from fhirserver.search import parse
from fhirserver.search.query import Words
from tests.search import generate, naive, stored
from tests.search.test_naive import NOW, PARIS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fhirserver.search import Indexer
    from fhirserver.spec import Definitions

pytestmark = pytest.mark.no_cover

Resource = dict[str, Any]
Tree = tuple[Any, ...]
"""`("word", words, whole)`, `("and", tree, tree)`, `("or", tree, tree)`, `("not", tree)`."""
VOCABULARY = ["Éloïse", "dupont", "Jean", "Marie", "Straße", "ete", "Abc", "718", "7", "final", "zero", "eloise", "D"]


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        if not re.match("urn:", value) and "://" not in value:
            yield value
    elif isinstance(value, list):
        for each in value:
            yield from texts(each)
    elif isinstance(value, dict):
        for name, each in value.items():
            if name not in ("resourceType", "id", "meta", "reference", "text") or (
                isinstance(each, str) and name == "text"
            ):
                yield from texts(each)


def holds(resource: Resource, name: str, tree: Tree) -> bool:
    if tree[0] == "and":
        return all(holds(resource, name, each) for each in tree[1:])
    if tree[0] == "or":
        return any(holds(resource, name, each) for each in tree[1:])
    if tree[0] == "not":
        return not holds(resource, name, tree[1])
    _, words, whole = tree
    sought = naive.folded(words).split()
    narrative = re.sub("<[^>]*>", " ", resource.get("text", {}).get("div", ""))
    among = [narrative] + (list(texts(resource)) if name == "_content" else [])
    for each in among:
        found = naive.folded(each).split()
        for at in range(len(found)):
            part = found[at : at + len(sought)]
            last = len(part) == len(sought) and part[:-1] == sought[:-1] and part[-1]
            if last and (last == sought[-1] or (not whole and last.startswith(sought[-1]))):
                return True
    return False


def made(random: Random, depth: int = 0) -> Tree:
    shape = random.choice(["word", "word", "and", "or", "not"]) if depth < 3 else "word"
    if shape == "not":
        return "not", made(random, depth + 1)
    if shape != "word":
        return shape, made(random, depth + 1), made(random, depth + 1)
    words = " ".join(random.choice(VOCABULARY) for _ in range(random.choice([1, 1, 1, 2])))
    return "word", words, random.random() < 0.7


def written(random: Random, tree: Tree) -> str:
    if tree[0] == "word":
        _, words, whole = tree
        quoted = f'"{words}"' if " " in words or random.random() < 0.3 else words
        return quoted if whole else f"{quoted}*"
    if tree[0] == "not":
        return f"not ({written(random, tree[1])})"
    first, second = (written(random, each) for each in tree[1:])
    sign = random.choice([" ", " and "]) if tree[0] == "and" else " or "
    first, second = (
        f"({text})" if each[0] in ("and", "or") else text for text, each in zip((first, second), tree[1:], strict=True)
    )
    return f"{first}{sign}{second}"


def compare(random: Random, defs: Definitions, indexer: Indexer, kind: str) -> None:
    resources = generate.resources(random, kind, 4)
    for each in resources:
        if random.random() < 0.7:
            words = " ".join(random.choice(VOCABULARY) for _ in range(4))
            each["text"] = {"status": "generated", "div": f"<div><b class='zero'>{words}</b></div>"}
    documents = [stored.envelope(indexer, resource) for resource in resources]
    for _ in range(4):
        name, tree = random.choice(["_text", "_content"]), made(random)
        text = written(random, tree)
        query = parse(defs, kind, [(name, text)], timezone=PARIS, base_url=naive.BASE, now=NOW)
        (join,) = query.joins
        assert isinstance(join, Words)
        found = {each["_id"] for each in documents if predicate.matches(join.where, each)}
        expected = {each["id"] for each in resources if holds(each, name, tree)}
        if found != expected:
            note(f"{name}={text}\n{[each['x'] for each in documents]}")
        assert found == expected


@pytest.mark.parametrize("kind", list(generate.RESOURCES))
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32))
def test_words_are_found_where_reading_finds_them(seed: int, defs: Definitions, indexer: Indexer, kind: str) -> None:
    compare(Random(seed), defs, indexer, kind)


@pytest.mark.long
@pytest.mark.parametrize("kind", list(generate.RESOURCES))
@settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32))
def test_words_are_found_where_reading_finds_them_thousands_of_times(
    seed: int, defs: Definitions, indexer: Indexer, kind: str
) -> None:
    compare(Random(seed), defs, indexer, kind)
