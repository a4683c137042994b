"""A TestScript (R4) as it is run, and the files that it lies in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fhirserver import jsontext, xmltext
from fhirserver.errors import FhirError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from fhirserver.spec import Definitions

REQUIREMENT: Final = "urn:fhirserver:conformance:requirement"
"""Extension of a test or an assert: the id of a requirement that it checks (`requirements.csv`)."""
ROLE: Final = "urn:fhirserver:conformance:role"
"""System of `origin.profile`: its code names whose token the requests of that origin bear."""
_ENDINGS: Final = (".json", ".xml")


class ScriptError(ValueError):
    """A file that cannot be run, with the reason."""


class Script(NamedTuple):
    """`resource`: the TestScript; `file`: where it lies, and its fixtures beside it; `suite`: its folder's name."""

    resource: dict[str, Any]
    file: Path
    suite: str

    @property
    def url(self) -> str:
        return str(self.resource.get("url", self.file.name))

    @property
    def name(self) -> str:
        return str(self.resource.get("name", self.file.stem))

    @property
    def title(self) -> str:
        return str(self.resource.get("title", self.name))

    def origins(self) -> dict[int, str]:
        """Role by index of the origin; those of other systems have none."""
        return {
            each["index"]: each["profile"]["code"]
            for each in self.resource.get("origin", ())
            if each["profile"].get("system") == ROLE
        }

    def destinations(self) -> list[int]:
        return [each["index"] for each in self.resource.get("destination", ())]


def requirements(element: dict[str, Any]) -> tuple[str, ...]:
    """The ids of the requirements that a test or an assert checks."""
    found = (each for each in element.get("extension", ()) if each.get("url") == REQUIREMENT)
    return tuple(str(each.get("valueString", "")) for each in found)


def collect(paths: Iterable[Path], definitions: Definitions) -> Iterator[Script]:
    """The TestScripts in files and folders, by path; a folder's other files are passed over. Raises ScriptError."""
    for path in paths:
        if path.is_dir():
            for each in sorted(path.rglob("*")):
                if each.suffix in _ENDINGS and "fixtures" not in each.parts and _is_script(each):
                    yield _read(each, definitions)
        elif path.is_file():
            yield _read(path, definitions)
        else:
            raise ScriptError(f"{path} does not exist")


def _is_script(file: Path) -> bool:
    head = file.read_bytes()[:4096]
    return b"TestScript" in head


def _read(file: Path, definitions: Definitions) -> Script:
    content = file.read_bytes()
    try:
        resource = xmltext.parse(content, definitions) if file.suffix == ".xml" else jsontext.parse_object(content)
    except FhirError as error:
        raise ScriptError(f"{file}: {error}") from None
    if resource.get("resourceType") != "TestScript":
        raise ScriptError(f"{file} is a {resource.get('resourceType')}, not a TestScript")
    return Script(resource, file, file.parent.name)
