"""The files of a release that a user brings: a zip, a folder, or single files; read line by line, never unpacked."""

from __future__ import annotations

import csv
import re
import zipfile
import zlib
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Final, Protocol, cast

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_LONGEST: Final = 1 << 20
"""Bytes of a line."""
_MOST_BYTES: Final = 1 << 33
"""Of one file, unpacked: the largest in use have a quarter."""
_BROKEN: Final = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError)


class BadRelease(ValueError):
    """A file that is not the release it should be, with what is missing in it."""


class Progress(Protocol):
    """Who is told how far the reading has come, in bytes."""

    def expect(self, count: int) -> None: ...

    def done(self, count: int) -> None: ...


class Quiet:
    """Tells nobody."""

    def expect(self, count: int) -> None:
        pass

    def done(self, count: int) -> None:
        pass


class Member:
    """A file of a release."""

    def __init__(self, holder: Path, name: str, size: int) -> None:
        self.holder = holder
        self.name = name
        self.size = size

    @contextmanager
    def open(self) -> Iterator[IO[bytes]]:
        if self.holder.is_dir():
            with (self.holder / self.name).open("rb") as file:
                yield file
        elif self.name == self.holder.name:
            with self.holder.open("rb") as file:
                yield file
        else:
            with zipfile.ZipFile(self.holder) as archive, archive.open(self.name) as file:
                yield file


class Release:
    """Everything in some zips, folders and files. Raises BadRelease for a file that is not there or broken."""

    def __init__(self, paths: Sequence[Path], progress: Progress | None = None) -> None:
        self.paths = paths
        self._progress = progress or Quiet()
        try:
            self._members = [member for path in paths for member in _members(path)]
        except FileNotFoundError as error:
            raise BadRelease(f"There is no file {error.filename}.") from None
        except _BROKEN as error:
            raise BadRelease(f"{paths[0]} cannot be read: {error}.") from None

    def named(self, pattern: str) -> list[Member]:
        """The files whose path ends as the expression says, sorted by it."""
        wanted = re.compile(rf"(?:^|.*/){pattern}", re.IGNORECASE)
        return sorted((each for each in self._members if wanted.fullmatch(each.name)), key=lambda each: each.name)

    def one(self, pattern: str, called: str) -> Member:
        """The only such file. Raises BadRelease, which names it as `called`, for none and for several."""
        found = self.named(pattern)
        if len(found) != 1:
            many = f"it has {len(found)}: {', '.join(each.name for each in found)}" if found else "it has none"
            raise BadRelease(f"{self.paths[0]} is not such a release: {called} is wanted, and {many}.")
        return found[0]

    def lines(self, member: Member, encoding: str = "utf-8") -> Iterator[str]:
        """The lines of a file with their ends, as text. Raises BadRelease."""
        for line in self.raw(member):
            try:
                yield line.decode(encoding)
            except UnicodeDecodeError:
                raise BadRelease(f"{member.name} is not text in {encoding}.") from None

    def raw(self, member: Member) -> Iterator[bytes]:
        """The lines of a file with their ends, without a byte order mark. Raises BadRelease."""
        if member.size > _MOST_BYTES:
            raise BadRelease(f"{member.name} is not taken: it is larger than {_MOST_BYTES} bytes.")
        self._progress.expect(member.size)
        first = True
        try:
            with member.open() as file:
                while line := file.readline(_LONGEST):
                    if len(line) == _LONGEST:
                        raise BadRelease(f"{member.name} has a line of more than {_LONGEST} bytes.")
                    self._progress.done(len(line))
                    yield line.removeprefix(b"\xef\xbb\xbf") if first else line
                    first = False
        except _BROKEN as error:
            raise BadRelease(f"{member.name} cannot be read: {error}.") from None

    def rows(self, member: Member, *needed: str) -> Iterator[dict[str, str]]:
        """The rows of a CSV file by the names in its first line. Raises BadRelease when one that is needed is not."""
        reader = csv.DictReader(self.lines(member), restval="")
        try:
            check_header(member, reader.fieldnames or (), needed)
            for row in reader:
                yield cast("dict[str, str]", row)
        except csv.Error as error:
            raise BadRelease(f"{member.name}, line {reader.line_num}: {error}.") from None

    def table(self, member: Member, *needed: str) -> Iterator[list[str]]:
        """The columns wanted of a file with tabs between its values, which has no quotes. Raises BadRelease."""
        lines = self.lines(member)
        header = next(lines, "").rstrip("\r\n").split("\t")
        check_header(member, header, needed)
        places = [header.index(name) for name in needed]
        for number, line in enumerate(lines, 2):
            values = line.rstrip("\r\n").split("\t")
            if len(values) != len(header):
                raise BadRelease(f"{member.name}, line {number}: {len(values)} values, not {len(header)}.")
            yield [values[place] for place in places]


def check_header(member: Member, header: Sequence[str], needed: Sequence[str]) -> None:
    """Raises BadRelease when a column is missing."""
    missing = [name for name in needed if name not in header]
    if missing:
        raise BadRelease(f"{member.name} has no column {', '.join(missing)}: it is not laid out as expected.")


def _members(path: Path) -> list[Member]:
    if path.is_dir():
        files = (each for each in path.rglob("*") if each.is_file())
        return [Member(path, each.relative_to(path).as_posix(), each.stat().st_size) for each in files]
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            return [Member(path, each.filename, each.file_size) for each in archive.infolist() if not each.is_dir()]
    return [Member(path, path.name, path.stat().st_size)]
