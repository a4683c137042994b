"""Extensions: known or not, where they may stand, modifiers (https://hl7.org/fhir/R4/extensibility.html)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from fhirserver.spec import Definitions
    from fhirserver.validation.context import At, Context

    Check = Callable[[Any, At, Context], None]


BASE: Final = "http://hl7.org/fhir/StructureDefinition/"
"""HL7's own extensions: later editions of their definitions admit more places than R4's, so a breach is a warning."""


class Known(NamedTuple):
    """A defined extension: where it belongs, whether it modifies, and the check of its content."""

    url: str
    elements: frozenset[str]
    anywhere: bool
    modifier: bool
    told: str
    check: Check


class Extensions:
    """The definitions of extensions, compiled when their url first comes up. `profile` compiles a profile's check."""

    def __init__(self, definitions: Definitions, profile: Callable[[str], Check | None]) -> None:
        self._definitions = definitions
        self._profile = profile
        self._known: dict[str, Known | None] = {}
        self._fits: set[tuple[str, str, str, str]] = set()

    def known(self, url: str) -> Known | None:
        """The definition of an extension, None when there is none here."""
        if url not in self._known:
            self._known[url] = self._compile(url)
        return self._known[url]

    def _compile(self, url: str) -> Known | None:
        structure = self._definitions.structure(url)
        check = self._profile(url) if structure and structure.get("type") == "Extension" else None
        if structure is None or check is None:
            return None
        contexts = structure.get("context", ())
        elements = frozenset(item["expression"] for item in contexts if item["type"] in ("element", "extension"))
        return Known(
            url,
            elements,
            # A context by FHIRPath is not decided here; neither is one that may be any element.
            not contexts or "Element" in elements or any(item["type"] == "fhirpath" for item in contexts),
            bool(structure["snapshot"]["element"][0].get("isModifier")),
            ", ".join(sorted(elements)) or "*",
            check,
        )

    def check(self, value: dict[str, Any], at: At, ctx: Context) -> None:
        """One extension object: value or extensions (ext-1), a url that is known, its place, its content."""
        nested = "extension" in value
        if nested == any(key.startswith(("value", "_value")) for key in value):
            ctx.invariant("ext-1", at)
        url = value.get("url")
        if type(url) is not str or not url:
            return
        known = self.known(url) if ":" in url else None
        modifying = at[1] == "modifierExtension"
        if known is not None:
            self._place(known, modifying, at, ctx)
            known.check(value, at, ctx)
        elif ":" not in url:
            above = at[0]
            if above is None or above[3] != "Extension":
                ctx.report("extension-relative", at, "url", url=url)
        elif modifying:
            ctx.report("modifier-unknown", at, url=url)
        else:
            ctx.report("extension-unknown", at, url=url)

    def _place(self, known: Known, modifying: bool, at: At, ctx: Context) -> None:
        if known.modifier != modifying:
            ctx.report("extension-plain" if modifying else "extension-modifier", at, url=known.url)
        host = at[0]
        if known.anywhere or host is None:
            return
        above = host[0]
        key = (known.url, host[3], host[1], above[3] if above else "")
        if key not in self._fits:
            if (depth := self._depth(known.elements, host)) is None:
                severity = "warning" if known.url.startswith(BASE) else "error"
                ctx.report("extension-context", at, severity=severity, url=known.url, contexts=known.told)
            elif depth <= 1:
                self._fits.add(key)

    def _depth(self, elements: frozenset[str], host: At) -> int | None:
        """How far above the host an element begins that its path (or its type, 0) fulfils; None when none does."""
        if any(self._definitions.is_a(host[3], element) for element in elements if "." not in element):
            return 0
        if host[3] == "Extension" and any(":" in element for element in elements):
            return 2
        trail, depth, place = "", 0, host
        while True:
            if any(f"{kind}{trail}" in elements for kind in (place[3], *self._ancestors(place[3]))):
                return depth
            if place[0] is None or place[3] in self._definitions.resource_types:
                return None
            trail, depth, place = f".{place[1]}{trail}", depth + 1, place[0]

    def _ancestors(self, kind: str) -> list[str]:
        found = []
        base = self._definitions.type(kind).base
        while base is not None:
            found.append(base)
            base = self._definitions.type(base).base
        return found
