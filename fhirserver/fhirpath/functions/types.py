"""is(), as(), ofType(), type() (FHIRPath N1, sections 6.3 and 10.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fhirserver.fhirpath import nodes
from fhirserver.fhirpath.errors import FhirPathError
from fhirserver.fhirpath.functions.registry import builder, collection
from fhirserver.fhirpath.values import Typed, system_type, typed

if TYPE_CHECKING:
    from fhirserver.fhirpath.code import Code, Scope
    from fhirserver.fhirpath.compiler import Compiler
    from fhirserver.fhirpath.environment import Frame
    from fhirserver.fhirpath.values import Items


def _type_name(node: nodes.Node) -> str:
    match node:
        case nodes.Name(name):
            return name
        case nodes.Member(source, name):
            return f"{_type_name(source)}.{name}"
    raise FhirPathError("Expected the name of a type", node.at)


def _operand(node: nodes.Call) -> nodes.Node:
    return nodes.This(node.at) if node.source is None else node.source


@builder("is", 1)
def is_type(compiler: Compiler, node: nodes.Call, _source: Code, scope: Scope, /) -> Code:
    return compiler.type_test("is", _operand(node), _type_name(node.arguments[0]), node.at, scope)


@builder("as", 1)
def as_type(compiler: Compiler, node: nodes.Call, _source: Code, scope: Scope, /) -> Code:
    return compiler.type_test("as", _operand(node), _type_name(node.arguments[0]), node.at, scope)


@builder("ofType", 1)
def of_type(compiler: Compiler, node: nodes.Call, source: Code, _scope: Scope, /) -> Code:
    wanted = compiler.specifier(_type_name(node.arguments[0]), node.at)
    return compiler.narrow(source, wanted, one=False)


@collection("type")
def type_of(_frame: Frame, items: Items) -> Items:
    return [_described(item) for item in items]


def _described(item: Any) -> Typed:
    if item.__class__ is Typed:
        return typed("System.TypeInfo", {"namespace": "FHIR", "name": item[0]})
    return typed("System.TypeInfo", {"namespace": "System", "name": system_type(item)})
