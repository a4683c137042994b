"""Extensions: known or not, where they may stand, modifiers (https://hl7.org/fhir/R4/extensibility.html)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fhirserver.validation.invariants import environment

if TYPE_CHECKING:
    from collections.abc import Callable

    from fhirserver.spec import Definitions
    from fhirserver.validation.context import At, Context

    Check = Callable[[Any, At, Context], None]


KNOWN: Final = 8192
"""Extensions remembered: `url|version` is one more each time."""
BASE: Final = "http://hl7.org/fhir/StructureDefinition/"
"""HL7's own extensions: later editions of their definitions admit more places than R4's, so a breach is a warning."""


class Known(NamedTuple):
    """A defined extension: where it belongs, whether it modifies, and the check of its content.

    It belongs on `elements` by path or type, in extensions of a url in `extensions`, on what `paths` (FHIRPath) select.
    """

    url: str
    elements: frozenset[str]
    extensions: frozenset[str]
    paths: tuple[str, ...]
    anywhere: bool
    modifier: bool
    told: str
    check: Check


class Extensions:
    """The definitions of extensions, compiled when their url first comes up. `profile` compiles a profile's check."""

    def __init__(self, definitions: Definitions, profile: Callable[[str], Check | None]) -> None:
        self._definitions = definitions
        self._profile = profile
        self._known: dict[str, Known] = {}
        self._fits: set[tuple[str, str, str, str]] = set()

    def known(self, url: str) -> Known | None:
        """The definition of an extension, None when there is none here."""
        found = self._known.get(url)
        if found is None and (found := self._compile(url)) is not None and len(self._known) < KNOWN:
            self._known[url] = found
        return found

    def _compile(self, url: str) -> Known | None:
        check = self._profile(url)
        structure = self._definitions.structure(url) if check is not None else None
        if structure is None or check is None or structure.get("type") != "Extension":
            return None
        contexts = structure.get("context", ())
        told: dict[str, list[str]] = {"element": [], "extension": [], "fhirpath": []}
        for each in contexts:
            told.setdefault(each["type"], []).append(each["expression"])
        return Known(
            url,
            frozenset(told["element"]),
            frozenset(told["extension"]),
            tuple(told["fhirpath"]),
            not contexts or "Element" in told["element"],
            bool(structure["snapshot"]["element"][0].get("isModifier")),
            ", ".join(sorted(each["expression"] for each in contexts)) or "*",
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
            self._place(known, modifying, value, at, ctx)
            known.check(value, at, ctx)
        elif ":" not in url:
            above = at[0]
            if above is None or above[3] != "Extension":
                ctx.report("extension-relative", at, "url", url=url)
        elif modifying:
            ctx.report("modifier-unknown", at, url=url)
        else:
            ctx.report("extension-unknown", at, url=url)

    def _place(self, known: Known, modifying: bool, value: dict[str, Any], at: At, ctx: Context) -> None:
        if known.modifier != modifying:
            ctx.report("extension-plain" if modifying else "extension-modifier", at, url=known.url)
        host = at[0]
        if known.anywhere or host is None:
            return
        above = host[0]
        key = (known.url, host[3], host[1], above[3] if above else "")
        if key not in self._fits:
            depth = self._depth(known.elements, host)
            if depth is not None and depth <= 1:
                self._fits.add(key)
            elif depth is None and not self._beside(known, value, ctx):
                severity = "warning" if known.url.startswith(BASE) else "error"
                ctx.report("extension-context", at, severity=severity, url=known.url, contexts=known.told)

    def _beside(self, known: Known, value: dict[str, Any], ctx: Context) -> bool:
        """Whether the extension stands in another that may hold it, or where a FHIRPath context says."""
        if not (known.extensions or known.paths):
            return False
        host = ctx.hosts.get(id(value))
        if host is None:
            return True
        if host.get("url") in known.extensions:
            return True
        found = [self._selected(path, ctx) for path in known.paths]
        return any(each if isinstance(each, bool) else id(host) in each for each in found)

    def _selected(self, path: str, ctx: Context) -> bool | frozenset[int]:
        """The objects that an expression selects in the resource, by identity; a Boolean if that is what it yields.

        An expression that cannot be evaluated forbids nothing.
        """
        if path not in ctx.selected:
            from fhirserver.fhirpath import FhirPathError, compile  # noqa: A004 the room's own word

            try:
                found = compile(path, None, self._definitions).typed(ctx.resource, env=environment(ctx))
            except FhirPathError:
                ctx.selected[path] = True
            else:
                verdicts = [each.value for each in found if isinstance(each.value, bool) and not each.extra]
                nodes = frozenset(id(part) for each in found for part in (each.value, each.extra) if part is not None)
                ctx.selected[path] = verdicts[0] if len(verdicts) == len(found) == 1 else nodes
        return ctx.selected[path]

    def _depth(self, elements: frozenset[str], host: At) -> int | None:
        """How far above the host an element begins that its path (or its type, 0) fulfils; None when none does."""
        if any(self._definitions.is_a(host[3], element) for element in elements if "." not in element):
            return 0
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
