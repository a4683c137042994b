"""`python -m bench.measures`: how long 1,000 measures of a device take: stored, sent again, stored by a system.

In one process, through the application without HTTP's bytes; the database is another process.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from joserfc.jwk import RSAKey

from fhirserver import jsontext
from fhirserver.access import Requester
from fhirserver.app import create_app, create_services
from fhirserver.auth import SigningKey, development_claims, sign
from fhirserver.auth.keys import KEY_FILE
from fhirserver.espace.profile import measuring, tables
from fhirserver.rest.operations.feed_measures import MOST
from fhirserver.settings import Settings
from fhirserver.store import Embedded

if TYPE_CHECKING:
    from flask.testing import FlaskClient

_START: Final = datetime(2026, 1, 1, tzinfo=UTC)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--mongo", metavar="URI", help="a replica set; default: the embedded database")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        embedded = None if options.mongo else Embedded(Path(folder) / "data", sync=False)
        try:
            measure(options.mongo or embedded.start(), Path(folder))  # type: ignore[union-attr]
        finally:
            if embedded is not None:
                embedded.stop()


def measure(uri: str, folder: Path) -> None:
    """Prints the seconds of each."""
    key = SigningKey(RSAKey.generate_key(2048))
    (folder / KEY_FILE).write_bytes(key.jwk.as_pem(private=True))
    app = create_app(create_services(Settings(mongo=uri, database="bench-measures", key_file=str(folder / KEY_FILE))))
    client = app.test_client()

    def asked(who: Requester, path: str, body: dict[str, Any]) -> Any:
        headers = {
            "Authorization": f"Bearer {sign(development_claims(who), key)}",
            "Content-Type": "application/fhir+json",
        }
        return _asked(client, path, body, headers)

    patient = asked(Requester("operator", "operator"), "Patient", {"resourceType": "Patient", "active": True})["id"]
    holder = Requester("patient", f"patient/{patient}", patient=patient, purpose="PATRQT")
    system = Requester("system", "client/scales", client="scales", organization="750000001")
    sent = _bundle(patient)
    for words, who in (("stored for the person", holder), ("sent again", holder), ("stored for a system", system)):
        start, cpu = time.perf_counter(), time.process_time()
        answer = asked(who, f"Patient/{patient}/$feed-measures", sent)
        taken, spent = time.perf_counter() - start, time.process_time() - cpu
        statuses = {each["response"]["status"] for each in answer["entry"]}
        print(f"{MOST} measures {words}: {taken:.1f} s, {spent:.1f} s CPU of the server ({', '.join(statuses)})")


def _asked(client: FlaskClient, path: str, body: dict[str, Any], headers: dict[str, str]) -> Any:
    answer = client.post(f"/fhir/{path}", data=jsontext.dump(body), headers=headers)
    if answer.status_code not in (200, 201):
        raise SystemExit(f"{path}: {answer.status_code} {answer.get_data(as_text=True)[:500]}")
    return jsontext.parse(answer.get_data())


def _bundle(patient: str) -> dict[str, Any]:
    weight, device = tables.measures()["poids"], {"identifier": {"system": "urn:example:device", "value": "S1"}}
    entries = []
    for place in range(MOST):
        at = (_START + timedelta(minutes=place)).isoformat(timespec="seconds")
        values = {"poids": f"{60 + place % 20}.5"}
        performer = {"reference": f"Patient/{patient}"}
        made = measuring.observation(weight, values, at, f"Patient/{patient}", performer)
        entries.append({"resource": made | {"device": device}})
    return {"resourceType": "Bundle", "type": "collection", "entry": entries}


if __name__ == "__main__":
    main()
