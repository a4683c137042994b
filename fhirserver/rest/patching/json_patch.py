"""JSON Patch (RFC 6902) over JSON Pointer (RFC 6901)."""

from __future__ import annotations

import copy
import re
from decimal import Decimal
from typing import Any, Final, NamedTuple

from fhirserver.errors import BadRequest, FhirError, Unprocessable

MOST: Final = 1000
"""Operations of one patch."""
MOST_COPIED: Final = 200_000
"""Values that the `copy` operations of one patch may make: a few of them could double a document without end."""
_INDEX: Final = re.compile(r"0|[1-9][0-9]{0,8}")
_ESCAPES: Final = re.compile(r"~[01]?")
_OPERATIONS: Final = ("add", "remove", "replace", "move", "copy", "test")


class Place(NamedTuple):
    """A member of an object, or an index of an array; one past the end for what is to be appended."""

    container: Any
    key: Any

    @property
    def value(self) -> Any:
        return self.container[self.key]


def json_patch(document: Any, patch: Any) -> Any:
    """The document after all operations, which apply one after another, or not at all."""
    if not isinstance(patch, list) or not all(isinstance(each, dict) for each in patch):
        raise BadRequest("A JSON Patch is an array of operations (RFC 6902).", code="structure")
    if len(patch) > MOST:
        raise BadRequest(f"The patch has more than {MOST} operations.", code="too-costly")
    root = {"": copy.deepcopy(document)}
    budget = [MOST_COPIED]
    for place, operation in enumerate(patch):
        try:
            _apply(root, operation, budget)
        except FhirError as error:
            error.issues = tuple(each._replace(text=f"Operation {place}: {each.text}") for each in error.issues)
            raise
        except RecursionError:
            raise Unprocessable(f"Operation {place}: nested too deeply.") from None
    return root.get("")


def _apply(root: dict[str, Any], operation: dict[str, Any], budget: list[int]) -> None:
    op = operation.get("op")
    if op not in _OPERATIONS:
        raise BadRequest(f"op is {op!r}, none of {', '.join(_OPERATIONS)}.")
    if op in ("add", "replace", "test") and "value" not in operation:
        raise BadRequest(f"{op} needs a value.", code="required")
    path = _tokens(operation, "path")
    if op == "add":
        _add(root, path, copy.deepcopy(operation["value"]))
    elif op == "remove":
        _remove(root, path)
    elif op == "replace":
        place = _there(root, path)
        place.container[place.key] = copy.deepcopy(operation["value"])
    elif op == "test":
        if not equal(_there(root, path).value, operation["value"]):
            raise Unprocessable(f"{_text(path)} is not what the test says.")
    else:
        _carry(root, op, _tokens(operation, "from"), path, budget)


def _carry(root: dict[str, Any], op: str, source: list[str], path: list[str], budget: list[int]) -> None:
    value = _there(root, source).value
    if op == "copy":
        budget[0] -= _size(value)
        if budget[0] < 0:
            raise Unprocessable("The patch copies too much.", code="too-costly")
        _add(root, path, copy.deepcopy(value))
    elif source != path:
        if path[: len(source)] == source:
            raise Unprocessable(f"{_text(source)} cannot be moved into itself.")
        _remove(root, source)
        _add(root, path, value)


def _add(root: dict[str, Any], path: list[str], value: Any) -> None:
    place = _place(root, path)
    if isinstance(place.container, list):
        place.container.insert(place.key, value)
    else:
        place.container[place.key] = value


def _remove(root: dict[str, Any], path: list[str]) -> None:
    place = _there(root, path)
    del place.container[place.key]


def _there(root: dict[str, Any], path: list[str]) -> Place:
    """The place of a value that exists."""
    place = _place(root, path)
    size = len(place.container)
    if place.key >= size if isinstance(place.container, list) else place.key not in place.container:
        raise Unprocessable(f"{_text(path)} is not there.", code="not-found")
    return place


def _place(root: dict[str, Any], path: list[str]) -> Place:
    """Where a value is or may be put: its container exists."""
    container: Any = root
    for depth, step in enumerate(tokens := ["", *path]):
        key = _key(container, step, tokens[1 : depth + 1])
        if depth == len(path):
            return Place(container, key)
        if (key not in container) if isinstance(container, dict) else key >= len(container):
            raise Unprocessable(f"{_text(path[:depth])} is not there.", code="not-found")
        container = container[key]
    raise AssertionError


def _key(container: Any, step: str, path: list[str]) -> Any:
    if isinstance(container, dict):
        return step
    if not isinstance(container, list):
        raise Unprocessable(f"{_text(path)} lies in what is neither an object nor an array.", code="not-found")
    if step == "-":
        return len(container)
    if not _INDEX.fullmatch(step) or int(step) > len(container):
        raise Unprocessable(f"{_text(path)}: {step!r} is no index of the array, which has {len(container)} values.")
    return int(step)


def _tokens(operation: dict[str, Any], name: str) -> list[str]:
    pointer = operation.get(name)
    if not isinstance(pointer, str) or (pointer and not pointer.startswith("/")):
        raise BadRequest(f"{name} must be a JSON Pointer such as /name/0/family, not {pointer!r}.")
    if any(each == "~" for each in _ESCAPES.findall(pointer)):
        raise BadRequest(f"{name}: `~` is written ~0, and `/` within a name ~1.")
    return [each.replace("~1", "/").replace("~0", "~") for each in pointer.split("/")[1:]]


def equal(one: Any, other: Any) -> bool:
    """Equality of JSON values (RFC 6902, 4.6): numbers by value, never a number and a truth value."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, int | Decimal) and isinstance(other, int | Decimal):
        return one == other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(equal, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(equal(one[name], other[name]) for name in one)
    return type(one) is type(other) and bool(one == other)


def _size(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + sum(map(_size, value.values()))
    return 1 + sum(map(_size, value)) if isinstance(value, list) else 1


def _text(path: list[str]) -> str:
    return "".join("/" + each.replace("~", "~0").replace("/", "~1") for each in path) or "the whole"
