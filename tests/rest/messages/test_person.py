"""Messages are the person's: in the copy of all that there is, and gone with an erasure, those that wait too."""

from __future__ import annotations

import io
import json
import zipfile
from typing import TYPE_CHECKING, Any

from tests.espace.test_erasure import found
from tests.rest.messages.people import PDF, House, attachment

if TYPE_CHECKING:
    from collections.abc import Callable

TEXT = "Zzyzxquartz a dit"


def test_the_copy_holds_the_messages_and_what_is_attached(applications: Callable[..., Any]) -> None:
    with applications() as application:
        house = House(application)
        thread = house.opened(house.alice, {"contentString": TEXT}, attachment())
        answer = house.answered(thread, house.claire, attachment(b"mon relev\xc3\xa9")).id
        asked = house.claire.post(f"Patient/{house.patient}/$portability", None, Prefer="respond-async")
        application.work()
        status = house.claire.get(asked.headers["content-location"].rpartition("/")[2])
        file = house.claire.get(status.json["output"][0]["url"].rpartition("/")[2])
        archive = zipfile.ZipFile(io.BytesIO(file.content))
        lines = archive.read("donnees/Communication.ndjson").splitlines()
        assert {thread, answer} <= {json.loads(line)["id"] for line in lines}
        held = {archive.read(name) for name in archive.namelist() if name.startswith("messages/")}
        assert held == {PDF, b"mon relev\xc3\xa9"}
        assert "messages/" in archive.read("LISEZMOI.html").decode()


def test_erasure_leaves_nothing_of_messages_and_of_letters_that_wait(applications: Callable[..., Any]) -> None:
    with applications(mssante_host="127.0.0.1", mssante_port=1) as application:
        house = House(application)
        thread = house.opened(house.alice, {"contentString": TEXT}, attachment(b"%PDF-1.4 " + bytes(2_000_000)))
        answer = house.answered(thread, house.claire, {"contentString": TEXT}).id
        assert found(application, answer) >= {"Communication", "outbox"}
        assert house.operator.post(f"Patient/{house.patient}/$espace-erase", None).status == 200
        left = found(application, thread, answer, TEXT)
        assert left <= {"trace"}
        assert application.counts() == {}
        assert house.alice.get(f"Communication/{thread}").status == 404
