from __future__ import annotations

import json
import subprocess
import sys

PROGRAM = """
import json, sys, time
began = time.process_time()
from fhirserver.spec import Definitions
definitions = Definitions.core()
definitions.type("Patient")
definitions.search_parameters("Patient")
print(json.dumps({"seconds": time.process_time() - began, "modules": sorted(sys.modules)}))
"""


def test_the_first_type_is_there_at_once_and_nothing_of_the_server_is_loaded() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, check=True, text=True)
    told = json.loads(done.stdout)
    assert told["seconds"] < 3, "0.1 s of processor time on a quiet machine"
    assert not {"flask", "pymongo", "lxml", "fhir.resources", "fhirserver.spec.snapshot"} & set(told["modules"])
