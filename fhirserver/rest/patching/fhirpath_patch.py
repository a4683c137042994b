"""FHIRPath Patch: a Parameters resource of operations (https://hl7.org/fhir/R4/fhirpatch.html).

An expression finds values, not places. So it runs over a copy in which every object is known by its identity, and every
primitive by the object that carries its extensions, which it is given where it has none.
"""

from __future__ import annotations

import copy
import time
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fhirserver.errors import BadRequest, FhirError, Unprocessable
from fhirserver.fhirpath import Env, FhirPathError
from fhirserver.fhirpath import compile as compiled

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from fhirserver.spec import Definitions, Property

MOST: Final = 1000
"""Operations of one patch."""
SECONDS: Final = 5.0
"""Time that the expressions of one patch may take together."""
_PARTS: Final = {
    "add": frozenset({"path", "name", "value"}),
    "insert": frozenset({"path", "index", "value"}),
    "delete": frozenset({"path"}),
    "replace": frozenset({"path", "value"}),
    "move": frozenset({"path", "source", "destination"}),
}

Steps = tuple[str | int, ...]
Item = tuple[Any, Any]
"""A value and, for a primitive, the object of its id and extensions."""


class Found(NamedTuple):
    """A place in the resource: members and indices from its root, and the FHIR type of what is there."""

    steps: Steps
    type: str

    @property
    def member(self) -> str:
        """The member that holds it, alone or in an array."""
        return str(self.steps[-2] if self.is_listed else self.steps[-1])

    @property
    def is_listed(self) -> bool:
        return isinstance(self.steps[-1], int)

    @property
    def holder(self) -> Steps:
        return self.steps[: -2 if self.is_listed else -1]


class Operation(NamedTuple):
    type: str
    path: str
    parts: Mapping[str, dict[str, Any]]


def fhirpath_patch(resource: dict[str, Any], patch: dict[str, Any], definitions: Definitions) -> dict[str, Any]:
    """The resource after all operations of a Parameters resource, which apply one after another, or not at all."""
    operations = [_operation(place, each) for place, each in enumerate(_parameters(patch))]
    work = _Patching(copy.deepcopy(resource), definitions)
    for place, operation in enumerate(operations):
        try:
            work.apply(operation)
        except FhirError as error:
            error.issues = tuple(each._replace(text=f"Operation {place}: {each.text}") for each in error.issues)
            raise
    return work.resource


def _parameters(patch: dict[str, Any]) -> list[Any]:
    listed = patch.get("parameter", [])
    if patch.get("resourceType") != "Parameters" or not isinstance(listed, list):
        raise BadRequest("A FHIRPath Patch is a Parameters resource of operations.", code="structure")
    if len(listed) > MOST:
        raise BadRequest(f"The patch has more than {MOST} operations.", code="too-costly")
    return listed


def _operation(place: int, parameter: Any) -> Operation:
    where = f"Parameters.parameter[{place}]"
    listed = parameter.get("part") if isinstance(parameter, dict) else None
    if not isinstance(listed, list) or parameter.get("name") != "operation":
        raise BadRequest(f"{where} must be named `operation` and have parts.", expression=where)
    parts: dict[str, dict[str, Any]] = {}
    for part in listed:
        name = part.get("name") if isinstance(part, dict) else None
        if not isinstance(name, str) or name in parts:
            raise BadRequest(f"{where}: each part has a name, which no other part has.", expression=where)
        parts[name] = part
    type = next((value for key, value in parts.get("type", {}).items() if key in ("valueCode", "valueString")), None)
    if type not in _PARTS:
        raise BadRequest(f"{where}: the type {type!r} is none of {', '.join(_PARTS)}.", expression=where)
    if parts.keys() - {"type"} != _PARTS[type]:
        raise BadRequest(f"{where}: {type} has the parts {', '.join(sorted(_PARTS[type]))}.", expression=where)
    return Operation(type, str(_only(parts["path"], "valueString")), parts)


def _only(part: dict[str, Any], member: str) -> Any:
    if member not in part:
        raise BadRequest(f"The part {part['name']} must be a {member}.", code="structure")
    return part[member]


class _Patching:
    """A resource that is being changed."""

    def __init__(self, resource: dict[str, Any], definitions: Definitions) -> None:
        self.resource = resource
        self._definitions = definitions
        self._left = SECONDS

    def apply(self, operation: Operation) -> None:
        getattr(self, f"_{operation.type}")(operation)

    def _add(self, operation: Operation) -> None:
        target = self._one(operation.path)
        name = str(_only(operation.parts["name"], "valueString"))
        holder = self._object(target.steps)
        slot = self._property(target.type, name, operation.parts["value"])
        items = _items(holder, slot.name)
        if items and not slot.array:
            raise Unprocessable(f"{operation.path} has a {name} already: replace it.")
        self._only_choice(holder, target.type, slot)
        _write(holder, slot, [*items, self._value(operation.parts["value"], slot)])

    def _insert(self, operation: Operation) -> None:
        index = _only(operation.parts["index"], "valueInteger")
        found = self._find(operation.path)
        if found:
            holder, slot, type = self._list(found, operation.path)
        else:
            parent, _, name = operation.path.rpartition(".")
            target = self._one(parent or operation.path)
            holder, type = self._object(target.steps), target.type
            slot = self._property(type, name, operation.parts["value"])
        if not slot.array:
            raise Unprocessable(f"{operation.path} is no list.")
        items = _items(holder, slot.name)
        if not _within(index, len(items) + 1):
            raise Unprocessable(f"{operation.path} has {len(items)} entries, so none is inserted at {index!r}.")
        items.insert(index, self._value(operation.parts["value"], slot))
        _write(holder, slot, items)

    def _delete(self, operation: Operation) -> None:
        found = self._find(operation.path)
        if len(found) > 1:
            raise Unprocessable(f"{operation.path} is {len(found)} elements, not one.", code="multiple-matches")
        if found:
            self._take(found[0])

    def _replace(self, operation: Operation) -> None:
        found = self._one(operation.path)
        if not found.steps:
            raise Unprocessable("A whole resource is not replaced by a patch: update it.")
        holder, type = self._object(found.holder), self._type(found.holder)
        before = self._definitions.type(type).properties[found.member]
        slot = self._property(type, before.element, operation.parts["value"])
        items = _items(holder, found.member)
        items[found.steps[-1] if isinstance(found.steps[-1], int) else 0] = self._value(operation.parts["value"], slot)
        if slot.name != before.name:
            _write(holder, before, [])
        _write(holder, slot, items)

    def _move(self, operation: Operation) -> None:
        source, destination = (_only(operation.parts[name], "valueInteger") for name in ("source", "destination"))
        holder, slot, _ = self._list(self._find(operation.path), operation.path)
        items = _items(holder, slot.name)
        if not _within(source, len(items)) or not _within(destination, len(items)):
            raise Unprocessable(f"{operation.path} has {len(items)} entries, from 0 on.")
        items.insert(destination, items.pop(source))
        _write(holder, slot, items)

    def _take(self, found: Found) -> None:
        """Takes an element away, and what holds it when nothing is left of that."""
        if not found.steps:
            raise Unprocessable("A whole resource is not deleted by a patch.")
        holder = self._object(found.holder)
        slot = self._definitions.type(self._type(found.holder)).properties[found.member]
        items = _items(holder, found.member)
        del items[found.steps[-1] if isinstance(found.steps[-1], int) else 0]
        _write(holder, slot, items)
        if not holder and found.holder:
            self._take(Found(found.holder, ""))

    def _list(self, found: list[Found], path: str) -> tuple[dict[str, Any], Property, str]:
        """The one list whose entries were found. Raises Unprocessable when it is none, or not all of it."""
        if not found or any(each.steps[:-1] != found[0].steps[:-1] or not each.is_listed for each in found):
            raise Unprocessable(f"{path} is not the entries of one list.", code="not-found")
        holder, type = self._object(found[0].holder), self._type(found[0].holder)
        return holder, self._definitions.type(type).properties[found[0].member], type

    def _one(self, path: str) -> Found:
        found = self._find(path)
        if not found:
            raise Unprocessable(f"There is nothing at {path}.", code="not-found")
        if len(found) > 1:
            raise Unprocessable(f"{path} is {len(found)} elements, not one.", code="multiple-matches")
        return found[0]

    def _find(self, path: str) -> list[Found]:
        """The places that an expression leads to."""
        places: dict[int, Steps] = {}
        kept: list[Any] = []
        marked = _marked(self.resource, (), places, kept)
        began = time.monotonic()
        try:
            expression = compiled(path, self.resource["resourceType"], self._definitions)
            items = expression.typed(marked, env=Env(seconds=self._left))
        except FhirPathError as error:
            raise Unprocessable(f"The path {path!r}: {error}.") from None
        self._left -= time.monotonic() - began
        if self._left < 0:
            raise Unprocessable("The expressions of the patch take too long.", code="too-costly")
        found = []
        for item in items:
            carrier = item.value if isinstance(item.value, dict) else item.extra
            if id(carrier) not in places:
                raise Unprocessable(f"The path {path!r} leads to what is no element of the resource.")
            found.append(Found(places[id(carrier)], item.type))
        return found

    def _object(self, steps: Steps) -> dict[str, Any]:
        node: Any = self.resource
        for step in steps:
            node = node[step]
        if not isinstance(node, dict):
            raise Unprocessable("A primitive has no elements but its extensions, which are set with its value.")
        return node

    def _type(self, steps: Steps) -> str:
        """The type of the object at these steps, by the definitions."""
        node: Any = self.resource
        type = str(node["resourceType"])
        for step in steps:
            node = node[step]
            if isinstance(step, str):
                type = self._definitions.type(type).properties[step].type
            if isinstance(node, dict) and isinstance(node.get("resourceType"), str):
                type = node["resourceType"]
        return type

    def _property(self, type: str, name: str, part: dict[str, Any]) -> Property:
        """The element of a type, for a choice the one of the value's own type."""
        given = next((each.removeprefix("value") for each in part if each.startswith("value")), "")
        named = [each for each in self._definitions.type(type).properties.values() if name in (each.element, each.name)]
        for slot in named:
            if not slot.choice or slot.name.lower() == f"{slot.element}{given}".lower():
                return slot
        raise Unprocessable(f"{type} has no element {name!r} that takes this value.", code="not-found")

    def _only_choice(self, holder: dict[str, Any], type: str, slot: Property) -> None:
        if not slot.choice:
            return
        for each in self._definitions.type(type).properties.values():
            if each.element == slot.element and _items(holder, each.name):
                raise Unprocessable(f"{slot.element} has a value already: replace it.")

    def _value(self, part: dict[str, Any], slot: Property) -> Item:
        """The value of a part: of a data type, a resource, or parts that are the elements of a backbone."""
        member = next((each for each in part if each.startswith("value")), None)
        if member is not None or any(each.startswith("_value") for each in part):
            bare = member or next(each for each in part if each.startswith("_value")).removeprefix("_")
            return copy.deepcopy(part.get(bare)), copy.deepcopy(part.get(f"_{bare}"))
        if isinstance(part.get("resource"), dict):
            return copy.deepcopy(part["resource"]), None
        listed = part.get("part")
        if not isinstance(listed, list) or not all(isinstance(each, dict) for each in listed):
            raise BadRequest(f"The part {part.get('name')} has no value.", code="required")
        made: dict[str, Any] = {}
        for each in listed:
            inner = self._property(slot.type, str(each.get("name")), each)
            items = _items(made, inner.name)
            if items and not inner.array:
                raise BadRequest(f"{inner.name} is given twice.")
            _write(made, inner, [*items, self._value(each, inner)])
        return made, None


def _marked(node: dict[str, Any], steps: Steps, places: dict[int, Steps], kept: list[Any]) -> dict[str, Any]:
    """A copy in which each object, and the carrier of each primitive, is known by its identity."""
    out: dict[str, Any] = {}
    names = dict.fromkeys(name.removeprefix("_") for name in node if name != "resourceType")
    if "resourceType" in node:
        out["resourceType"] = node["resourceType"]
    for name in names:
        listed = isinstance(node.get(name), list) or isinstance(node.get(f"_{name}"), list)
        made = [
            _mark(value, extra, (*steps, name, place) if listed else (*steps, name), places, kept)
            for place, (value, extra) in enumerate(_items(node, name))
        ]
        values, extras = [each[0] for each in made], [each[1] for each in made]
        if any(each is not None for each in values):
            out[name] = values if listed else values[0]
        if any(each is not None for each in extras):
            out[f"_{name}"] = extras if listed else extras[0]
    places[id(out)] = steps
    kept.append(out)
    return out


def _mark(value: Any, extra: Any, steps: Steps, places: dict[int, Steps], kept: list[Any]) -> Item:
    if isinstance(value, dict):
        return _marked(value, steps, places, kept), None
    carrier = _marked(extra, (*steps, "_"), places, kept) if isinstance(extra, dict) else {"id": ""}
    places[id(carrier)] = steps
    kept.append(carrier)
    return value, carrier


def _items(holder: Mapping[str, Any], name: str) -> list[Item]:
    """The values of a member with their extensions, alone or in an array."""
    value, extra = holder.get(name), holder.get(f"_{name}")
    if isinstance(value, list) or isinstance(extra, list):
        values, extras = list(value or ()), list(extra or ())
        size = max(len(values), len(extras))
        values += [None] * (size - len(values))
        extras += [None] * (size - len(extras))
        return list(zip(values, extras, strict=True))
    return [] if value is None and extra is None else [(value, extra)]


def _write(holder: dict[str, Any], slot: Property, items: Iterable[Item]) -> None:
    """Writes the values of a member; of none, nothing is left."""
    values, extras = [], []
    for value, extra in items:
        values.append(value)
        extras.append(extra)
    for name, each in ((slot.name, values), (f"_{slot.name}", extras)):
        if all(one is None for one in each):
            holder.pop(name, None)
        else:
            holder[name] = each if slot.array else each[0]


def _within(index: Any, size: int) -> bool:
    return type(index) is int and 0 <= index < size
