from __future__ import annotations

import io
import json
import tarfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from fhirserver.cli import main
from fhirserver.rest import guides as guides_
from fhirserver.rest.guides import Guides
from fhirserver.settings import Settings
from fhirserver.spec import BadPackage, Definitions, installed
from tests import corpus

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.serving import Served

PROFILE = "urn:test:profile"
FR_CORE = "https://hl7.fr/ig/fhir/core/StructureDefinition/"


def package(path: Path, name: str = "test.guide", version: str = "1.0.0", **members: Any) -> Path:
    """A published package whose profile wants a Patient to have a birth date."""
    manifest = {"name": name, "version": version, "fhirVersions": ["4.0.1"], "dependencies": {}} | members
    return packed(path, {"package/package.json": manifest, "package/profile.json": profile(version)})


def profile(version: str = "1.0.0") -> dict[str, Any]:
    return {
        "resourceType": "StructureDefinition",
        "url": PROFILE,
        "version": version,
        "name": "Born",
        "status": "active",
        "kind": "resource",
        "abstract": False,
        "type": "Patient",
        "baseDefinition": "http://hl7.org/fhir/StructureDefinition/Patient",
        "derivation": "constraint",
        "text": {"status": "generated", "div": "<div>long</div>"},
        "differential": {"element": [{"id": "Patient.birthDate", "path": "Patient.birthDate", "min": 1}]},
    }


def packed(path: Path, files: Mapping[str, Any]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name, content in files.items():
            body = content if isinstance(content, bytes) else json.dumps(content).encode()
            member = tarfile.TarInfo(name)
            member.size = len(body)
            tar.addfile(member, io.BytesIO(body))
    return path


def run(capsys: pytest.CaptureFixture[str], *words: str | Path) -> tuple[int, str, str]:
    status = main(["package", *map(str, words)])
    told = capsys.readouterr()
    return status, told.out, told.err


def test_a_package_is_added_listed_and_removed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = tmp_path / "data"
    assert run(capsys, "list", "--data", data) == (0, "", "")
    added = run(capsys, "add", package(tmp_path / "p.tgz"), "--data", data)
    assert added == (0, "added test.guide 1.0.0: 1 resources\n", "")
    assert run(capsys, "list", "--data", data)[1] == "test.guide 1.0.0: 1 resources\n"
    assert [each.name for each in (data / "packages").iterdir()] == ["test.guide#1.0.0.sqlite"]
    assert run(capsys, "add", tmp_path / "p.tgz", "--data", data)[0] == 0
    assert run(capsys, "remove", "test.guide", "--data", data) == (0, "removed test.guide 1.0.0\n", "")
    assert list((data / "packages").iterdir()) == []
    status, _, told = run(capsys, "remove", "test.guide", "--data", data)
    assert (status, told) == (1, "fhirserver package: test.guide is not installed.\n")


def test_the_folder_comes_from_the_settings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = package(tmp_path / "p.tgz")
    monkeypatch.setenv("FHIRSERVER_PACKAGES", str(tmp_path / "guides"))
    assert run(capsys, "add", file)[0] == 0
    assert [each.name for each in installed.listed(tmp_path / "guides")] == ["test.guide"]
    monkeypatch.delenv("FHIRSERVER_PACKAGES")
    monkeypatch.chdir(tmp_path)
    assert run(capsys, "add", file)[0] == 0
    assert installed.listed(tmp_path / "data" / "packages")
    monkeypatch.setenv("FHIRSERVER_PORT", "none")
    assert run(capsys, "list")[0] == 1


def test_where_packages_lie() -> None:
    assert Settings(packages="a", embedded="b").packages_folder == Path("a")
    assert Settings(embedded="b").packages_folder == Path("b/packages")
    assert Settings(mongo="mongodb://x").packages_folder is None


def test_what_is_missing_is_told_and_what_conflicts_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    needing = package(
        tmp_path / "n.tgz", "test.needing", dependencies={"hl7.fhir.r4.core": "4.0.1", "test.guide": "1.0.0"}
    )
    status, _, told = run(capsys, "add", needing, "--data", tmp_path)
    assert (status, told) == (0, "warning: it depends on test.guide 1.0.0, which is not installed\n")
    status, _, told = run(capsys, "add", package(tmp_path / "2.tgz", version="2.0.0"), "--data", tmp_path)
    assert status == 1
    assert "test.needing 1.0.0 needs test.guide 1.0.0, not 2.0.0" in told
    assert run(capsys, "add", package(tmp_path / "1.tgz", version="1.0.3"), "--data", tmp_path)[0] == 0
    status, _, told = run(capsys, "add", package(tmp_path / "1.tgz", version="1.0.4"), "--data", tmp_path)
    assert status == 1
    assert "1.0.3 is installed; remove it" in told
    status, _, told = run(capsys, "remove", "test.guide", "--data", tmp_path)
    assert status == 1
    assert "needed by test.needing" in told
    other = package(tmp_path / "o.tgz", "test.other", dependencies={"test.guide": "3.0.0"})
    status, _, told = run(capsys, "add", other, "--data", tmp_path)
    assert status == 1
    assert "needs test.guide 3.0.0; 1.0.3 is installed" in told
    assert {each.name for each in installed.listed(tmp_path / "packages")} == {"test.needing", "test.guide"}


def test_a_profile_that_cannot_be_enforced_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lost = [{**profile(), "url": f"urn:test:{n}", "baseDefinition": "urn:test:none"} for n in range(12)]
    files = {f"package/{n}.json": each for n, each in enumerate(lost)}
    file = packed(tmp_path / "p.tgz", {"package/package.json": {"name": "test.lost", "version": "1"}, **files})
    status, _, told = run(capsys, "add", file, "--data", tmp_path)
    assert status == 0
    assert "not enforceable: urn:test:0" in told
    assert "and 2 more" in told


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"no archive", "is not a FHIR package"),
        (b"\x1f\x8b\x08\x00 cut short", "is not a FHIR package"),
        ({}, "no package/package.json"),
        ({"package/package.json": b"{"}, "not JSON"),
        ({"package/package.json": {"version": "1"}}, "with a name"),
        ({"package/package.json": {"name": "../evil", "version": "1"}}, "cannot be a name"),
        ({"package/package.json": {"name": "a", "version": "1/../../x"}}, "cannot be a name"),
        ({"package/package.json": {"name": "a", "version": "1", "dependencies": {"b": 1}}}, "dependencies"),
        ({"package/package.json": {"name": "a", "version": "1", "fhirVersions": ["5.0.0"]}}, "not for R4"),
        ({"package/package.json": {"name": "hl7.fhir.r4.core", "version": "4.0.1"}}, "built in"),
        (
            {
                "package/package.json": {"name": "a", "version": "1"},
                "package/x.json": {
                    "resourceType": "StructureDefinition",
                    "url": "http://hl7.org/fhir/StructureDefinition/Patient",
                    "derivation": "specialization",
                    "type": "Patient",
                },
            },
            "Patient anew",
        ),
        ({"package/package.json": {"name": "a", "version": "1"}, "package/x.json": b"{"}, "not JSON"),
    ],
)
def test_a_file_that_is_no_package_is_refused_in_a_line_and_leaves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: Any, told: str
) -> None:
    file = tmp_path / "p.tgz"
    if isinstance(content, bytes):
        file.write_bytes(content)
    else:
        packed(file, content)
    status, _, error = run(capsys, "add", file, "--data", tmp_path / "data")
    assert status == 1
    assert told in error
    assert error.count("\n") == 1
    assert installed.stamp(tmp_path / "data" / "packages") == ()


def test_a_file_that_is_not_there_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "There is no file" in run(capsys, "add", tmp_path / "none.tgz", "--data", tmp_path)[2]


def test_names_that_lead_out_of_the_package_write_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest = {"name": "test.evil", "version": "1"}
    outside = {**profile(), "url": "urn:test:outside"}
    files = {
        "package/package.json": manifest,
        "package/../../outside.json": outside,
        "../outside.json": outside,
        "/tmp/fhirserver-outside.json": outside,
        "package/profile.json": profile(),
    }
    (tmp_path / "in").mkdir()
    file = packed(tmp_path / "in" / "p.tgz", files)
    assert run(capsys, "add", file, "--data", tmp_path / "in" / "data")[1] == "added test.evil 1: 1 resources\n"
    assert [str(each.relative_to(tmp_path)) for each in sorted(tmp_path.rglob("*")) if each.is_file()] == [
        "in/data/packages/test.evil#1.sqlite",
        "in/p.tgz",
    ]
    assert not Path("/tmp/fhirserver-outside.json").exists()


def test_a_package_beyond_measure_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installed, "_MOST_BYTES", 100)
    with pytest.raises(BadPackage, match="larger than 100 bytes"):
        installed.add(package(tmp_path / "p.tgz"), tmp_path)


def test_guides_change_together_without_a_restart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guides_, "EVERY", 0.0)
    found = Guides(tmp_path / "packages", "core", Definitions.core())
    before = found.current
    patient = {"resourceType": "Patient", "meta": {"profile": [f"{PROFILE}|1.0.0"]}}
    assert not any(each.is_error for each in before.validator.check(patient))
    installed.add(package(tmp_path / "p.tgz"), tmp_path / "packages")
    after = found.current
    assert after is found.current
    assert after.validator.definitions is after.definitions
    assert [each.expression for each in after.validator.check(patient) if each.is_error] == [("Patient.birthDate",)]
    installed.remove("test.guide", tmp_path / "packages")
    assert after.definitions.find(PROFILE) is not None, "what is in use stays whole"
    assert found.current.definitions.find(PROFILE) is None


def test_a_damaged_archive_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guides_, "EVERY", 0.0)
    installed.add(package(tmp_path / "p.tgz"), tmp_path)
    (tmp_path / "broken#1.sqlite").write_bytes(b"no database" * 100)
    found = Guides(tmp_path, "core", Definitions.core())
    assert found.current.definitions.find(PROFILE) is not None


def test_guides_that_cannot_be_made_leave_those_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(guides_, "EVERY", 0.0)
    found = Guides(tmp_path, "core", Definitions.core())
    before = found.current

    def fails(folder: Path) -> Any:
        raise OSError("the disk is gone")

    monkeypatch.setattr(installed, "load", fails)
    (tmp_path / "new#1.sqlite").touch()
    assert found.current is before
    assert "stay in force" in caplog.text


def eventually(holds: Callable[[], bool]) -> bool:
    """Whether it does before long: a server looks at its packages once a second."""
    until = time.monotonic() + 120
    while not holds() and time.monotonic() < until:
        time.sleep(0.05)
    return holds()


@pytest.mark.corpus("fr-core-2.1")
def test_a_published_guide_is_enforced_by_a_running_server(served: Served, capsys: pytest.CaptureFixture[str]) -> None:
    token = served.token("--operator")

    def errors(canonical: str, **resource: Any) -> list[str]:
        claiming = {**resource, "meta": {"profile": [FR_CORE + canonical]}}
        issues = served.call("POST", f"{resource['resourceType']}/$validate", token, claiming).json["issue"]
        return [each["diagnostics"] for each in issues if each["severity"] == "error"]

    def patient(version: str) -> list[str]:
        return errors(f"fr-core-patient-ins|{version}", resourceType="Patient")

    def pole() -> list[str]:
        return errors("fr-core-organization-pole", resourceType="Organization", identifier=[{"value": "1"}])

    assert patient("2.1.0") == patient("2.2.0"), "there is one version only"
    assert pole() == [], "nobody knows it"
    status, _, told = run(capsys, "add", corpus.path("fr-core-2.1"), "--data", served.folder)
    assert status == 0
    assert "hl7.terminology.r4 6.0.2, which is not installed" in told
    assert eventually(lambda: pole() != [])
    assert patient("2.1.0") != patient("2.2.0")
    refused = {"resourceType": "Patient", "meta": {"profile": [f"{FR_CORE}fr-core-patient-ins|2.1.0"]}}
    assert served.call("POST", "Patient", token, refused).status == 422
    assert run(capsys, "remove", "hl7.fhir.fr.core", "--data", served.folder)[0] == 0
    assert eventually(lambda: pole() == []), "nobody knows it again"
