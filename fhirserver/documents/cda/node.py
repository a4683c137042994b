"""The XML of a CDA document, and the account of what was read of it.

Handlers see elements as `Node`s. Reading an attribute or a text marks it; `unread` names what no handler asked for, so
that no statement of a document is dropped in silence. Names of HL7 v3 elements are plain, those of the extensions
that France uses have the prefix of `PREFIXES`, others are in Clark notation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from lxml import etree

V3: Final = "urn:hl7-org:v3"
PREFIXES: Final[Mapping[str, str]] = {
    V3: "",
    "urn:hl7-org:sdtc": "sdtc:",
    "urn:oid:1.3.6.1.4.1.19376.1.3.2": "lab:",
    "urn:ihe:pharm:medication": "pharm:",
    "urn:ihe:pharm": "pharm:",
    "urn:hl7-org:ips": "ips:",
    "http://www.w3.org/2001/XMLSchema-instance": "xsi:",
    "http://www.w3.org/XML/1998/namespace": "xml:",
    "http://www.w3.org/1999/xhtml": "xhtml:",
}

SYNTAX: Final = frozenset(
    {"ID", "xsi:type", "xsi:schemaLocation", "xsi:noNamespaceSchemaLocation", "codeSystemName", "xml:space"}
)
"""Attributes that state nothing of their own: anchors, types, and labels of an identifier beside it."""

FIXED: Final[Mapping[str, frozenset[str]]] = {
    "classCode": frozenset(
        {
            "ACT", "OBS", "SBADM", "SPLY", "PROC", "ENC", "DOCCLIN", "DOCSECT", "DOCBODY", "PAT", "PSN", "ORG", "PLC",
            "ASSIGNED", "PATIENT", "MANU", "MMAT", "ENT", "ASSENTITY", "SDLOC", "DEV", "BIRTHPL", "CLUSTER", "BATTERY",
            "PROV", "AGNT", "OWN", "LIC", "DGIMG", "ORDPLC",
        }
    ),
    "moodCode": frozenset({"EVN"}),
    "determinerCode": frozenset({"INSTANCE", "KIND"}),
    "typeCode": frozenset(
        {"COMP", "RCT", "AUT", "CST", "LA", "DOC", "LOC", "DRIV", "AUTHEN", "ENT", "CSM", "SBJ", "SPC", "FLFS"}
    ),
    "contextConductionInd": frozenset({"true"}),
    "contextControlCode": frozenset({"OP"}),
    "inversionInd": frozenset({"false"}),
    "negationInd": frozenset({"false"}),
    "operator": frozenset({"I"}),
    "mediaType": frozenset({"text/plain"}),
    "representation": frozenset({"TXT"}),
}  # fmt: skip
"""Values by which an attribute only repeats what the element's place in CDA R2 says."""


QUOTABLE: Final = 8 * 1024 * 1024
"""Characters of the narrative that entries repeat by referring to it."""


class Unread(NamedTuple):
    """What nobody read: an element with all it holds, or one of its attributes or its text."""

    node: Node
    part: str | None
    """`@name`, `text()`, or None for the whole."""

    @property
    def xpath(self) -> str:
        return self.node.xpath if self.part is None else f"{self.node.xpath}/{self.part}"


class Tree:
    """A document: its root, and the elements that references (`#id`) name."""

    __slots__ = ("_quoted", "ids", "quotable", "root")

    def __init__(self, element: etree._Element) -> None:
        self.ids: dict[str, Node] = {}
        self.quotable = QUOTABLE
        self._quoted: dict[str, str] = {}
        self.root = _grow(element, None, self, _Names())

    def quoted(self, node: Node) -> str | None:
        """The words of an element of the narrative for who refers to it; None when more than `QUOTABLE` would be."""
        words = self._quoted.get(node.xpath)
        if words is None:
            words = self._quoted[node.xpath] = " ".join("".join(node._pieces()).split())
        self.quotable -= len(words)
        return words if self.quotable >= 0 else None


class Node:
    """An element. Everything that hands out content marks it as read."""

    __slots__ = ("_seen", "_text", "_told", "_xpath", "attributes", "kids", "name", "parent", "tail", "tree")

    def __init__(self, name: str, attributes: dict[str, str], text: str, parent: Node | None, tree: Tree) -> None:
        self.name = name
        self.attributes = attributes
        self.parent = parent
        self.tree = tree
        self.kids: Sequence[Node] = ()
        self.tail = ""
        self._text = text
        self._seen: set[str] | None = None
        self._told = False
        self._xpath: str | None = None

    def __repr__(self) -> str:
        return f"<Node {self.xpath}>"

    def get(self, name: str) -> str | None:
        """An attribute without surrounding blanks; None when absent or empty."""
        value = self.attributes.get(name)
        if value is None:
            return None
        if self._seen is None:
            self._seen = {name}
        else:
            self._seen.add(name)
        return value or None

    @property
    def type(self) -> str | None:
        """`xsi:type` without its prefix: `PQ`, `IVL_TS`."""
        value = self.attributes.get("xsi:type")
        return value.rpartition(":")[2] if value else None

    @property
    def null(self) -> str | None:
        """`nullFlavor`."""
        return self.get("nullFlavor")

    @property
    def text(self) -> str:
        """The element's own text, blanks around it removed, without that of its children."""
        if self._seen is None:
            self._seen = {"text()"}
        else:
            self._seen.add("text()")
        return self._own()

    @property
    def content(self) -> str:
        """The text before the first child, blanks kept: for narratives, which count as read as a whole."""
        return self._text

    def words(self) -> str:
        """All text within, white space collapsed; the whole element counts as read."""
        self._told = True
        return " ".join("".join(self._pieces()).split())

    def one(self, name: str) -> Node | None:
        """The first child of this name."""
        for kid in self.kids:
            if kid.name == name:
                return kid
        return None

    def all(self, name: str) -> list[Node]:
        """The children of this name."""
        return [kid for kid in self.kids if kid.name == name] if self.kids else []

    def at(self, path: str) -> Node | None:
        """The first child of the first child … by names with `/` between; None where one is missing."""
        node: Node | None = self
        for name in path.split("/"):
            node = node.one(name) if node is not None else None
        return node

    def value(self, path: str, name: str = "value") -> str | None:
        """An attribute of the element at a path."""
        node = self.at(path)
        return None if node is None else node.get(name)

    @property
    def templates(self) -> list[tuple[str, str | None]]:
        """Root and extension of each `templateId`, which count as read."""
        found = []
        for kid in self.kids:
            if kid.name == "templateId" and (root := kid.get("root")):
                found.append((root, kid.get("extension")))
        return found

    def resolve(self, reference: str | None) -> Node | None:
        """The element whose ID a reference such as `#a1` names."""
        return self.tree.ids.get(reference.removeprefix("#")) if reference else None

    def formal(self, name: str, *codes: str) -> str | None:
        """The code of a child, when it is one of these; it counts as read then, for it says no more than its code."""
        node = self.one(name)
        code = node.attributes.get("code") if node is not None else None
        if node is None or code not in codes:
            return None
        for part in ("code", "codeSystem", "codeSystemVersion", "displayName"):
            node.get(part)
        node._told = not node.kids
        return code

    @property
    def said(self) -> str:
        """All text within, without counting it as read."""
        return "".join(self._pieces()).strip()

    def told(self) -> None:
        """Count all that is in this element as read: its content went somewhere as a whole, or states nothing."""
        self._told = True

    @property
    def touched(self) -> bool:
        """Whether anything of this element itself was read."""
        return self._told or bool(self._seen)

    @property
    def xpath(self) -> str:
        """Where the element is; names without a prefix are those of HL7 v3."""
        if self._xpath is None:
            if self.parent is None:
                self._xpath = f"/{self.name}"
            else:
                self.parent._name_kids()
        return self._xpath or ""

    def _name_kids(self) -> None:
        """Gives all children their path at once: one by one would take the square of their number."""
        path = self.xpath
        named: dict[str, list[Node]] = {}
        for kid in self.kids:
            named.setdefault(kid.name, []).append(kid)
        for name, same in named.items():
            if len(same) == 1:
                same[0]._xpath = f"{path}/{name}"
                continue
            for index, kid in enumerate(same, 1):
                kid._xpath = f"{path}/{name}[{index}]"

    def walk(self) -> Iterator[Node]:
        """This element and all within, in document order."""
        stack = [self]
        while stack:
            node = stack.pop()
            yield node
            stack.extend(reversed(node.kids))

    def _own(self) -> str:
        tails = [kid.tail for kid in self.kids if kid.tail]
        if not self.kids or not (tails or self._text):
            return self._text
        return (self._text + "".join(tails)).strip()

    def _pieces(self) -> Iterator[str]:
        yield self._text
        for kid in self.kids:
            if kid.name == "br":
                yield "\n"
            elif kid.name in BLOCKS:
                yield " "
            yield from kid._pieces()
            if kid.name in BLOCKS:
                yield " "
            yield kid.tail


BLOCKS: Final = frozenset({"td", "th", "tr", "item", "paragraph", "caption", "list", "table", "thead", "tbody"})
"""Elements of a narrative that end a word."""


def unread(root: Node) -> list[Unread]:
    """What nobody read under an element: the topmost elements read in no part, and parts of those that were."""
    found: list[Unread] = []
    if not root._told:
        _sweep(root, found)
    return found


def _sweep(node: Node, found: list[Unread]) -> tuple[bool, bool]:
    """Whether something was read in an element that was not as a whole, and whether something was not."""
    start = len(found)
    seen, attributes = node._seen, node.attributes
    touched, missing, says = seen is not None, False, bool(node._text)
    for kid in node.kids:
        if kid.tail:
            says = True
        if kid._told or (not kid.kids and not kid._text and kid._seen and kid._seen.issuperset(kid.attributes)):
            touched = True
            continue
        inner, outer = _sweep(kid, found)
        touched = touched or inner
        missing = missing or outer
    parts: list[str] = []
    if attributes and (seen is None or not seen.issuperset(attributes)):
        parts = [f"@{name}" for name in attributes if (seen is None or name not in seen) and _states(node, name)]
    if says and (seen is None or "text()" not in seen):
        parts.append("text()")
    missing = missing or bool(parts)
    if missing and not touched:
        found[start:] = [Unread(node, None)]
    else:
        found.extend(Unread(node, part) for part in parts)
    return touched, missing


def _states(node: Node, name: str) -> bool:
    """Whether an attribute says more than its element's place does."""
    value = node.attributes[name]
    return bool(value) and name not in SYNTAX and value not in FIXED.get(name, ())


def _grow(element: Any, parent: Node | None, tree: Tree, names: _Names) -> Node:
    attributes = {}
    for key, value in element.items():
        attributes[names[key]] = value.strip()
    text = element.text
    node = Node(names[element.tag], attributes, text if text and not text.isspace() else "", parent, tree)
    if "ID" in attributes:
        tree.ids.setdefault(attributes["ID"], node)
    if len(element):
        kids: list[Node] = []
        for child in element:
            kid = _grow(child, node, tree, names)
            tail = child.tail
            if tail and not tail.isspace():
                kid.tail = tail
            kids.append(kid)
        node.kids = kids
    elif node._text:
        node._text = node._text.strip()
    return node


class _Names(dict[Any, str]):
    """The names of elements and attributes as handlers know them, by those of the parser."""

    def __missing__(self, tag: str) -> str:
        namespace, brace, local = tag[1:].partition("}") if tag[0] == "{" else ("", "", tag)
        prefix = PREFIXES.get(namespace) if brace else ""
        known = self[tag] = tag if prefix is None else prefix + local
        return known
