"""All scripts of a run, several at a time; ends cleanly when it is told to."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TYPE_CHECKING, Any

from fhirserver.conformance.running import Run, Surroundings
from fhirserver.conformance.wire import Wire

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from fhirserver.conformance.operating import Server
    from fhirserver.conformance.result import ScriptResult
    from fhirserver.conformance.script import Script
    from fhirserver.conformance.state import Given
    from fhirserver.spec import Definitions


class Campaign:
    """`servers`: by index of the destination. `validate`: the errors of a resource by a profile's canonical."""

    def __init__(
        self,
        servers: Mapping[int, Server],
        definitions: Definitions,
        validate: Callable[[dict[str, Any], str], Sequence[str]],
        variables: Mapping[str, Given] | None = None,
        *,
        parallel: int = 4,
    ) -> None:
        self._stop = threading.Event()
        self._parallel = parallel
        self._around = Surroundings(servers, variables or {}, definitions, validate, Wire(), self._stop.is_set)

    def stop(self) -> None:
        """No further test begins; what was created is cleared away."""
        self._stop.set()

    def run(self, scripts: Sequence[Script]) -> Iterator[ScriptResult]:
        """The results as they come."""
        with ThreadPoolExecutor(self._parallel, "script") as pool:
            running = [pool.submit(self._one, each) for each in scripts]
            try:
                for each in as_completed(running):
                    if (found := each.result()) is not None:
                        yield found
            except BaseException:
                self.stop()
                raise

    def _one(self, script: Script) -> ScriptResult | None:
        return None if self._stop.is_set() else Run(script, self._around).run()
