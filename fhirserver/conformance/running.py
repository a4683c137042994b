"""One script from setup to teardown: a failed setup skips the tests, a failed test the rest of itself."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from fhirserver.conformance import result
from fhirserver.conformance.asserting import Judge
from fhirserver.conformance.looking import LookError, resource_of
from fhirserver.conformance.operating import Request, Server, request_of
from fhirserver.conformance.result import ScriptResult, Step, Test
from fhirserver.conformance.script import Script, ScriptError, requirements
from fhirserver.conformance.state import State
from fhirserver.conformance.wire import Exchanged, Wire, WireError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from fhirserver.conformance.state import Given
    from fhirserver.spec import Definitions


class Surroundings(NamedTuple):
    """What all scripts of a campaign share. `servers`: by index of the destination; `validate`: see `Judge`."""

    servers: Mapping[int, Server]
    variables: Mapping[str, Given]
    definitions: Definitions
    validate: Callable[[dict[str, Any], str], Sequence[str]]
    wire: Wire
    stopped: Callable[[], bool]


class Run:
    """One run of one script."""

    def __init__(self, script: Script, around: Surroundings) -> None:
        self._script, self._around = script, around
        first = next(iter(around.servers.values()))
        self._state = State(script, {"base": first.base, **around.variables}, around.definitions)
        self._judge = Judge(self._state, self._validated)
        self._origins = script.origins()
        self._profiles = {each.get("id"): each.get("reference", "") for each in script.resource.get("profile", ())}

    def run(self) -> ScriptResult:
        """The result, whatever happens: what was created by itself is deleted, the teardown is done."""
        resource = self._script.resource
        began, at = time.monotonic(), datetime.now(UTC)
        told = ScriptResult(self._script.url, self._script.name, self._script.title, self._script.suite, at)
        told.skipped = self._lacking()
        if not told.skipped:
            told.setup = self._setup(resource.get("setup", {}).get("action", ()))
            for number, each in enumerate(resource.get("test", ()), 1):
                test = Test(each.get("name", f"test {number}"), each.get("description", ""), requirements(each))
                told.tests.append(test)
                if not told.setup.failed and not self._around.stopped():
                    self._perform(test, each["action"])
            told.teardown = self._teardown(resource.get("teardown", {}).get("action", ()))
        told.seconds = time.monotonic() - began
        self._around.wire.close()
        return told

    def _lacking(self) -> str:
        """Why the script cannot be run here; empty when it can."""
        servers = self._around.servers
        if absent := [each for each in self._script.destinations() if each not in servers]:
            return f"it has {len(self._script.destinations())} destinations, of which {absent} are not given"
        roles = {each for each in self._origins.values() if each != "anonymous"}
        lacking = sorted(each for each in roles if not all(each in server.tokens for server in servers.values()))
        return f"no token was given for: {', '.join(lacking)}" if lacking else ""

    def _setup(self, actions: Sequence[dict[str, Any]]) -> Test:
        test = Test("setup")
        for fixture in self._state.fixtures("autocreate"):
            operation = {"type": {"code": "create"}, "sourceId": fixture, "encodeRequestUrl": True}
            step = self._operation(operation, f"create {fixture}")
            if step.verdict == result.PASS and (made := step.exchanged) and made.answer.status not in (200, 201):
                step = step._replace(verdict=result.FAIL, text=f"status {made.answer.status} for a fixture")
            test.steps.append(step)
            if step.verdict != result.PASS:
                return test
            self._created(fixture, step)
        self._perform(test, actions)
        return test

    def _teardown(self, actions: Sequence[dict[str, Any]]) -> Test:
        test = Test("teardown")
        test.steps += [self._action(each) for each in actions]
        for fixture in reversed(self._state.fixtures("autodelete")):
            if self._state.assigned(fixture):
                operation = {"type": {"code": "delete"}, "targetId": fixture, "encodeRequestUrl": True}
                test.steps.append(self._operation(operation, f"delete {fixture}"))
        return test

    def _perform(self, test: Test, actions: Sequence[dict[str, Any]]) -> None:
        for action in actions:
            if test.failed:
                kind = "assert" if "assert" in action else "operation"
                test.steps.append(Step(kind, _label(action.get(kind, {})), result.SKIP))
            else:
                test.steps.append(self._action(action))

    def _action(self, action: dict[str, Any]) -> Step:
        if "assert" in action:
            return self._assert(action["assert"])
        return self._operation(action["operation"], _label(action["operation"]))

    def _operation(self, operation: dict[str, Any], label: str) -> Step:
        try:
            request = self._request(operation)
            exchanged = self._around.wire.send(*request)
        except (ScriptError, LookError, WireError) as error:
            return Step("operation", label, result.ERROR, str(error))
        self._state.record(exchanged, operation.get("requestId"), operation.get("responseId"))
        if "sourceId" in operation and operation.get("type", {}).get("code") in ("create", "update", "updateCreate"):
            self._created(operation["sourceId"], Step("operation", label, result.PASS, "", exchanged))
        return Step("operation", label, result.PASS, f"status {exchanged.answer.status}", exchanged)

    def _request(self, operation: dict[str, Any]) -> Request:
        servers = self._around.servers
        destination = operation.get("destination", next(iter(servers)))
        if destination not in servers:
            raise ScriptError(f"there is no destination {destination}")
        origin = operation.get("origin", min(self._origins, default=0))
        return request_of(operation, self._state, servers[destination], self._origins.get(origin, ""))

    def _created(self, fixture: str, step: Step) -> None:
        """Remembers under which id the server stored a fixture."""
        exchanged = step.exchanged
        if exchanged is None or exchanged.answer.status not in (200, 201):
            return
        if found := _stored_id(exchanged, self._around.definitions):
            self._state.assign(fixture, found)

    def _assert(self, asserted: dict[str, Any]) -> Step:
        label, last = _label(asserted), self._state.last
        try:
            verdict = self._judge.judge(asserted)
        except LookError as error:
            return self._failed(asserted, label, str(error), last)
        except ScriptError as error:
            return Step("assert", label, result.ERROR, str(error), last)
        if verdict.holds:
            return Step("assert", label, result.PASS, verdict.text)
        return self._failed(asserted, label, verdict.text, last)

    @staticmethod
    def _failed(asserted: dict[str, Any], label: str, text: str, last: Exchanged | None) -> Step:
        return Step("assert", label, result.WARNING if asserted.get("warningOnly") else result.FAIL, text, last)

    def _validated(self, resource: dict[str, Any], profile: str) -> Sequence[str]:
        canonical = self._profiles.get(profile)
        if not canonical:
            raise ScriptError(f"there is no profile {profile!r} in the script")
        return self._around.validate(resource, canonical)


def _stored_id(exchanged: Exchanged, definitions: Definitions) -> str | None:
    steps = exchanged.answer.headers.get("location", "").split("?")[0].rstrip("/").split("/")
    if len(steps) > 1:
        return steps[steps.index("_history") - 1] if "_history" in steps else steps[-1]
    try:
        return resource_of(exchanged.answer.content, definitions).get("id")
    except LookError:
        return None


def _label(element: dict[str, Any]) -> str:
    return str(element.get("description") or element.get("label") or _short(element))


def _short(element: dict[str, Any]) -> str:
    """What an action without words does."""
    shown = {name: value for name, value in element.items() if isinstance(value, str | bool) and name != "warningOnly"}
    kind = element.get("type", {}).get("code", "")
    words = [f"{name} {value}" for name, value in shown.items() if name != "encodeRequestUrl"]
    return " ".join([kind, ", ".join(words)]).strip()
