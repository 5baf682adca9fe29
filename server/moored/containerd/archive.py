"""The members of a tar archive, by name, where they lie in it. Blocking: for threads.

The archive is hostile until proven otherwise: nothing is extracted, nothing is read by a
name outside it, and what is read into memory is bounded. Only headers are looked at here;
what the members mean is for ``layouts``.
"""

from __future__ import annotations

import hashlib
import posixpath
import tarfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from moored import errors

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

LARGEST_DOCUMENT: Final = 4 << 20
"""Bytes of a JSON file, of a manifest or configuration, that are read into memory."""
MOST_MEMBERS: Final = 20_000
_LARGEST_HEADER: Final = 64 << 10
_LARGEST_HEADERS: Final = 16 << 20
"""Bytes of all extended headers together."""
_MOST_HOPS: Final = 8
_BLOCK: Final = 512
_PIECE: Final = 1 << 20
_PAX: Final = (tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE)
_EXTENSIONS: Final = (
    *_PAX,
    tarfile.XGLTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)
"""Headers that speak of the members after them."""


class Source(Protocol):
    """Bytes at offsets."""

    @property
    def size(self) -> int: ...

    def read(self, offset: int, size: int) -> bytes: ...


@dataclass(frozen=True)
class Region:
    """Where a file's bytes are in the archive."""

    offset: int
    size: int


@dataclass(frozen=True)
class _Link:
    target: str
    """A name in the archive."""


@dataclass
class _Extension:
    """What headers before a member say of it."""

    path: str = ""
    link: str = ""
    size: int | None = None
    sparse: bool = False

    def read_pax(self, body: bytes) -> None:
        for key, value in _pax_records(body):
            if key == "path":
                self.path = value
            elif key == "linkpath":
                self.link = value
            elif key == "size":
                self.size = _number(value)
            elif key.startswith("GNU.sparse."):
                self.sparse = True


@dataclass(frozen=True)
class Archive:
    source: Source
    _members: Mapping[str, Region | _Link] = field(default_factory=dict)

    def __contains__(self, name: str) -> bool:
        return self.find(name) is not None

    def find(self, name: str) -> Region | None:
        """Return the file of that name, through links inside the archive."""
        for _ in range(_MOST_HOPS):
            member = self._members.get(name)
            if not isinstance(member, _Link):
                return member
            name = member.target
        raise _invalid(f"{name!r} is a link that leads in a circle")

    def locate(self, name: str) -> Region:
        region = self.find(name)
        if region is None:
            raise _invalid(f"{name!r} is missing")
        return region

    def document(self, name: str) -> bytes:
        """Return a small file whole."""
        region = self.locate(name)
        if region.size > LARGEST_DOCUMENT:
            raise _invalid(f"{name!r} has {region.size} bytes, and {LARGEST_DOCUMENT} are read")
        return self.source.read(region.offset, region.size)

    def head(self, region: Region, size: int) -> bytes:
        return self.source.read(region.offset, min(size, region.size))

    def digest(self, region: Region) -> str:
        summed = hashlib.sha256()
        for piece in pieces(self.source, region):
            summed.update(piece)
        return f"sha256:{summed.hexdigest()}"


def pieces(source: Source, region: Region) -> Iterator[bytes]:
    """Yield a file's bytes in order, at most 1 MiB at a time."""
    end = region.offset + region.size
    for offset in range(region.offset, end, _PIECE):
        yield source.read(offset, min(_PIECE, end - offset))


def read_archive(source: Source) -> Archive:
    """Return what ``source`` holds, or refuse it whole."""
    members: dict[str, Region | _Link] = {}
    for name, member in _members(source):
        if name in members:
            raise _invalid(f"{name!r} is there twice")
        if len(members) == MOST_MEMBERS:
            raise _invalid(f"it has more than {MOST_MEMBERS} members")
        members[name] = member
    return Archive(source, members)


def _members(source: Source) -> Iterator[tuple[str, Region | _Link]]:
    offset, seen, extended, extension = 0, 0, 0, _Extension()
    while (header := _header(source, offset)) is not None:
        seen += 1
        if seen > 4 * MOST_MEMBERS:
            raise _invalid(f"it has more than {MOST_MEMBERS} members")
        offset += _BLOCK
        if header.type in _EXTENSIONS:
            extended += header.size
            if extended > _LARGEST_HEADERS:
                raise _invalid(f"its extended headers exceed {_LARGEST_HEADERS} bytes")
            _extend(extension, header, _small(source, offset, header))
            offset += _padded(header.size)
            continue
        size = header.size if extension.size is None else extension.size
        size = size if _has_body(header) else 0
        if offset + size > source.size:
            raise _invalid(f"it ends in the middle of {header.name[:200]!r}")
        yield from _member(header, extension, Region(offset, size))
        extension = _Extension()
        offset += _padded(size)


def _header(source: Source, offset: int) -> tarfile.TarInfo | None:
    """Return the header at ``offset``, or None at the end of the archive."""
    block = source.read(offset, _BLOCK)
    if offset and (not block or not block.strip(b"\0")):
        return None
    try:
        header = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except (tarfile.HeaderError, ValueError) as error:
        where = f"broken at byte {offset}" if offset else "not a tar archive"
        raise _invalid(f"it is {where}: {error}") from error
    if header.size < 0:
        raise _invalid(f"it is broken at byte {offset}: negative size")
    return header


def _has_body(header: tarfile.TarInfo) -> bool:
    # Links, devices and directories have none, whatever their size field says.
    return header.isreg() or header.type not in tarfile.SUPPORTED_TYPES


def _small(source: Source, offset: int, header: tarfile.TarInfo) -> bytes:
    if header.size > _LARGEST_HEADER:
        raise _invalid(f"it has a header of {header.size} bytes")
    return source.read(offset, header.size)


def _extend(extension: _Extension, header: tarfile.TarInfo, body: bytes) -> None:
    text = body.partition(b"\0")[0].decode("utf-8", "surrogateescape")
    if header.type in _PAX:
        extension.read_pax(body)
    elif header.type == tarfile.GNUTYPE_LONGNAME:
        extension.path = text
    elif header.type == tarfile.GNUTYPE_LONGLINK:
        extension.link = text


def _pax_records(body: bytes) -> Iterator[tuple[str, str]]:
    """Yield the ``length key=value`` records of a pax header."""
    begin, end = 0, len(body.rstrip(b"\0"))
    while begin < end:
        digits = body[begin : begin + 21].partition(b" ")[0]
        length = _number(digits.decode("ascii", "replace"))
        record = body[begin : begin + length]
        key, equals, value = record[len(digits) + 1 : -1].partition(b"=")
        if not equals or len(record) != length or not record.endswith(b"\n"):
            raise _invalid("it has a broken pax header")
        yield key.decode("utf-8", "replace"), value.decode("utf-8", "surrogateescape")
        begin += length


def _member(
    header: tarfile.TarInfo, extension: _Extension, region: Region
) -> Iterator[tuple[str, Region | _Link]]:
    """Yield the member that a reader may ask for: a file or a link to one."""
    name = _inside(extension.path or header.name)
    target = extension.link or header.linkname
    if header.issym():
        link = _inside(posixpath.join(posixpath.dirname(name), target), of=name)
        yield name, _Link(link)
    elif header.islnk():
        yield name, _Link(_inside(target, of=name))
    elif extension.sparse or header.type == tarfile.GNUTYPE_SPARSE:
        raise _invalid(f"{name!r} is a sparse file")
    elif header.isreg():
        yield name, region


def _inside(name: str, *, of: str = "") -> str:
    """Return ``name`` in its shortest form, or refuse one that leaves the archive."""
    if "\0" in name:
        raise _invalid(f"{name[:200]!r} has a NUL in its name")
    short = posixpath.normpath(name)
    # Links may go up and down again; a member's own name has no reason to.
    climbs = ".." in (short if of else name).split("/")
    if not name or name.startswith("/") or climbs:
        whose = f"the link {of!r} leads" if of else f"the member {name[:200]!r} is"
        raise _invalid(f"{whose} outside the archive")
    return short


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 20:
        raise _invalid(f"it has a broken pax header: {text[:20]!r} is not a number")
    return int(text)


def _padded(size: int) -> int:
    return (size + _BLOCK - 1) // _BLOCK * _BLOCK


def _invalid(why: str) -> errors.ArchiveInvalid:
    return errors.ArchiveInvalid(f"cannot import the archive: {why}")
