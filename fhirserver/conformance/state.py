"""What a running script knows: its fixtures, what was sent and answered, its variables."""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING, Any, Final

from fhirserver import jsontext, xmltext
from fhirserver.conformance.looking import LookError, by_expression, by_path, resource_of
from fhirserver.conformance.script import ScriptError
from fhirserver.errors import FhirError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fhirserver.conformance.script import Script
    from fhirserver.conformance.wire import Exchanged, Message
    from fhirserver.spec import Definitions

    Given = str | Callable[[], str]
    """A variable from outside: its value, or what makes one for each use."""

_PLACEHOLDER: Final = re.compile(r"\$\{([A-Za-z0-9._-]+)\}")
_DEPTH: Final = 8
"""Variables within variables."""


class State:
    """`given`: variables from outside, each its value or what makes one for each use.

    `${run}` is eight hexadecimal digits that no other run has, `${number}` what they are as a number,
    `${nir}` a matricule with it (INS-NIR, of a woman born in May 1985 in Lyon).
    """

    def __init__(self, script: Script, given: Mapping[str, Given], definitions: Definitions) -> None:
        self.definitions = definitions
        self._script = script
        run = secrets.token_hex(4)
        self._given: dict[str, Given] = {"run": run, **_numbers(int(run, 16)), **given}
        self._variables = {each["name"]: each for each in script.resource.get("variable", ())}
        self._contained = {f"#{each.get('id')}": each for each in script.resource.get("contained", ())}
        self._fixtures = {each["id"]: each for each in script.resource.get("fixture", ()) if "id" in each}
        self._assigned: dict[str, str] = {}
        self._requests: dict[str, Message] = {}
        self._answers: dict[str, Message] = {}
        self.last: Exchanged | None = None

    def record(self, exchanged: Exchanged, request_id: str | None, response_id: str | None) -> None:
        """Keeps what went over the wire, under its names too."""
        self.last = exchanged
        if request_id:
            self._requests[request_id] = exchanged.request
        if response_id:
            self._answers[response_id] = exchanged.answer

    def assign(self, fixture: str, id_: str) -> None:
        """A fixture has this id on the server now."""
        self._assigned[fixture] = id_

    def assigned(self, fixture: str) -> str | None:
        return self._assigned.get(fixture)

    def filled(self, text: str, depth: int = 0) -> str:
        """The text with its `${variables}`. Raises ScriptError for one that is not known or has no value."""
        if depth > _DEPTH:
            raise ScriptError(f"the variables of {text!r} refer to one another")
        return _PLACEHOLDER.sub(lambda found: self._value(found[1], depth), text)

    def content(self, source: str) -> bytes:
        """The bytes of a fixture, an answer or a request by its id. Raises ScriptError."""
        if source in self._answers:
            return self._answers[source].content
        if source in self._requests:
            return self._requests[source].content
        return self._fixture(source)

    def message(self, source: str) -> Message | None:
        """An answer or a request by its id; None for a fixture."""
        return self._answers.get(source) or self._requests.get(source)

    def resource(self, source: str) -> dict[str, Any]:
        """The resource of a fixture, answer or request, with the id that the server gave it. Raises LookError."""
        found = resource_of(self.content(source), self.definitions)
        given = self._assigned.get(source)
        return {**found, "id": given} if given and source in self._fixtures else found

    def fixtures(self, flag: str) -> list[str]:
        """The ids of the fixtures that are to be created (`autocreate`) or deleted (`autodelete`) by themselves."""
        return [id_ for id_, each in self._fixtures.items() if each.get(flag)]

    def _fixture(self, source: str) -> bytes:
        fixture = self._fixtures.get(source)
        if fixture is None:
            raise ScriptError(f"there is no fixture, answer or request {source!r}")
        reference = str(fixture.get("resource", {}).get("reference", ""))
        if reference in self._contained:
            content = jsontext.dump({k: v for k, v in self._contained[reference].items() if k != "id"})
        else:
            content = self._file(reference)
        try:
            return self.filled(content.decode()).encode()
        except UnicodeDecodeError:
            return content

    def _file(self, reference: str) -> bytes:
        folder = self._script.file.parent.resolve()
        file = (folder / reference).resolve()
        if not file.is_relative_to(folder.parent) or not file.is_file():
            raise ScriptError(f"the fixture {reference!r} is not beside the script")
        return file.read_bytes()

    def _value(self, name: str, depth: int) -> str:
        variable = self._variables.get(name)
        if (given := self._given.get(name)) is not None:
            return given if isinstance(given, str) else given()
        if variable is None:
            raise ScriptError(f"there is no variable {name!r}")
        found = self._looked(variable, depth)
        if found is None:
            found = variable.get("defaultValue")
        if found is None:
            raise ScriptError(f"the variable {name!r} has no value")
        return self.filled(str(found), depth + 1)

    def _looked(self, variable: dict[str, Any], depth: int) -> str | None:
        source = variable.get("sourceId")
        if source is None or not self._known(source):
            return None
        if "headerField" in variable:
            message = self.message(source)
            return None if message is None else message.headers.get(variable["headerField"].lower())
        try:
            if "expression" in variable:
                expression = self.filled(variable["expression"], depth + 1)
                return next(iter(by_expression(expression, self.resource(source), self.definitions)), None)
            if "path" in variable:
                return next(iter(by_path(self.filled(variable["path"], depth + 1), self._patched(source))), None)
        except LookError as error:
            raise ScriptError(f"the variable {variable['name']!r}: {error}") from None
        return None

    def _known(self, source: str) -> bool:
        return source in self._fixtures or source in self._answers or source in self._requests

    def _patched(self, source: str) -> bytes:
        """A fixture's content with the id that the server gave it."""
        if source not in self._assigned or source not in self._fixtures:
            return self.content(source)
        return jsontext.dump(self.resource(source))

    def as_media(self, source: str, media: str) -> bytes:
        """The content of a source in a media type: FHIR JSON as FHIR XML where that is asked, else as it is."""
        content = self.content(source)
        try:
            if "xml" in media and content.lstrip()[:1] == b"{":
                return xmltext.dump(self.resource(source), self.definitions)
            if "fhir+json" in media and source in self._assigned:
                return jsontext.dump(self.resource(source))
        except (FhirError, LookError) as error:
            raise ScriptError(f"{source!r} cannot be written as {media}: {error}") from None
        return content


def _numbers(run: int) -> dict[str, str]:
    """Of the matricule six digits are those of the run; then comes its key (97 less the remainder by 97)."""
    body = f"2850569{run % 1_000_000:06}"
    return {"number": str(run), "nir": f"{body}{97 - int(body) % 97:02}"}
