"""Archives that mean ill: each with what its refusal has to name.

Most are some kilobytes. Those that unpack to gigabytes do it in whoever unpacks them.
"""

from __future__ import annotations

import gzip
import io
import json
import struct
import tarfile
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tests.unit.tars import (
    OCI,
    configuration,
    described,
    digest,
    docker_files,
    index,
    layer,
    member,
    named,
    oci_files,
    oci_image,
    tar,
    tar_of,
    written,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

BOMB: Final = 2**29
"""Bytes that a bomb unpacks to; the server under test takes far fewer."""
_PIECE: Final = 1 << 20
_NAME: Final = "docker.io/library/hostile:1"
_PAX: Final = "pax"


@dataclass(frozen=True)
class Hostile:
    called: str
    archive: bytes
    why: str
    """What the refusal says. Empty: it is taken, and can do no harm."""

    def __str__(self) -> str:
        return self.called


def every(outside: str) -> Iterator[Hostile]:
    """Yield each; ``outside`` is the path of a directory that they try to write into."""
    yield from _outer(outside)
    yield from _documents()
    yield from _images()
    yield from _layers(outside)
    yield from _bombs()


def truncated() -> list[bytes]:
    """Return a good archive cut at each block before its end."""
    whole = tar_of(docker_files(layer(hello=b"hello")))
    return [whole[:size] for size in range(0, len(whole) - 1024, 512)]


def _with(*members: bytes) -> bytes:
    """A good archive with more in front of it."""
    good = [member(name, body) for name, body in docker_files().items()]
    return tar(*members, *good)


def _outer(outside: str) -> Iterator[Hostile]:
    """What is wrong with the archive as a tar."""
    link, hard = tarfile.SYMTYPE, tarfile.LNKTYPE
    up = "../" * 12 + outside.lstrip("/")
    yield Hostile("an absolute path", _with(member(f"{outside}/it", b"x")), "outside the archive")
    yield Hostile("a path upwards", _with(member(f"{up}/it", b"x")), "outside the archive")
    yield Hostile("a link out", _with(member("l", kind=link, link=outside)), "leads outside")
    through = member("l", kind=link, link=up) + member("l/it", b"x")
    yield Hostile("a file through a link out", _with(through), "leads outside")
    yield Hostile("a hard link out", _with(member("l", kind=hard, link=up)), "leads outside")
    circle = member("a", kind=link, link="b") + member("b", kind=link, link="a")
    asked = written([{"Config": "a", "RepoTags": [_NAME], "Layers": []}])
    yield Hostile("links in a circle", tar(circle, member("manifest.json", asked)), "in a circle")
    yield Hostile("a member twice", _with(member("manifest.json", b"[]")), "is there twice")
    yield Hostile("a sparse claim", _with(member("s", kind=tarfile.GNUTYPE_SPARSE)), "sparse")
    many = b"".join(member(f"{number:x}") for number in range(20_100))
    yield Hostile("twenty thousand members", _with(many), "more than 20000 members")
    yield Hostile("a pax size of many digits", _with(_pax(b"size", b"9" * 40)), "not a number")
    yield Hostile("a pax size beyond the end", _with(_pax(b"size", b"9" * 18)), "in the middle")
    yield Hostile("a pax size below zero", _with(_pax(b"size", b"-512")), "not a number")
    yield Hostile("a broken pax record", _with(_pax_raw(b"0 a=b\n")), "broken pax header")
    yield Hostile("an endless pax record", _with(_pax_raw(b"999999 a=b\n")), "broken pax header")
    yield Hostile("a NUL in a name", _with(_pax(b"path", b"a\0b"), member("x")), "NUL")
    yield Hostile("a huge header", _with(_pax_raw(b"\0" * (1 << 20))), "header of 1048576 bytes")
    long_ = _pax(b"comment", b"x" * 60_000)
    yield Hostile("many long headers", _with(long_ * 300), "extended headers exceed")
    fifo = member("manifest.json", kind=tarfile.FIFOTYPE)
    yield Hostile("a pipe for a document", tar(fifo), "neither an index.json")
    yield Hostile("a zip", b"PK\x03\x04" + bytes(2000), "compressed by zip")
    yield Hostile("nothing", b"", "empty")
    cut = gzip.compress(_with())[:-20]
    yield Hostile("a gzip that is cut", cut, "ends in the middle")


def _documents() -> Iterator[Hostile]:
    """What is wrong with the JSON."""
    yield Hostile("a giant manifest", _manifest(b"[" + b" " * (5 << 20) + b"]"), "are read")
    yield Hostile("deep JSON", _manifest(b"[" * 1_000_000), "recursion limit|not as it should")
    yield Hostile("a number for a manifest", _manifest(b"1e999999999"), "not as it should be")
    yield Hostile("no config", _manifest(_entry("none.json")), "'none.json' is missing")
    yield Hostile("a config outside", _manifest(_entry("../../etc/passwd")), "is missing")
    files = docker_files(layer(a=b"a"))
    gone = {name: body for name, body in files.items() if not name.endswith("layer.tar")}
    yield Hostile("no layer", tar_of(gone), "layer.tar' is missing")
    odd = docker_files(tags=("docker.io/üñí/ç:1",))
    yield Hostile("a name of other letters", tar_of(odd), "is no image name")
    yield Hostile("a NUL in a tag", tar_of(docker_files(tags=("a\0b:1",))), "is no image name")
    long_ = docker_files(tags=("a" * 5000,))
    yield Hostile("a tag without an end", tar_of(long_), "is no image name")
    image = oci_image(layer(a=b"a"))
    nested = index(image.entry())
    blobs = [nested]
    for _ in range(6):
        nested = index(described(f"{OCI}.index.v1+json", nested))
        blobs.append(nested)
    deep = oci_files(nested, *blobs, *image.blobs)
    yield Hostile("indexes in indexes", tar_of(deep), "nested more than")
    itself = index({**described(f"{OCI}.index.v1+json", b"{}"), **named(_NAME)})
    loop = {**oci_files(itself), f"blobs/{digest(b'{}').replace(':', '/')}": itself}
    yield Hostile("an index that leads to itself", tar_of(loop), "bytes, and should have")
    yield Hostile("a million indexes", tar_of(_laughing()), "more than 1000 manifests")


def _laughing() -> Mapping[str, bytes]:
    """Indexes of indexes, each of which has the next twenty times."""
    inner, blobs = index(), []
    for _ in range(3):
        blobs.append(inner)
        inner = index(*(20 * [described(f"{OCI}.index.v1+json", inner)]))
    return oci_files(inner, *blobs)


def _images() -> Iterator[Hostile]:
    """What is wrong with what the documents say of each other."""
    image = oci_image(layer(a=b"a"))
    files = oci_files(index(image.entry(**named(_NAME))), *image.blobs)
    body = image.blobs[-1]
    place = f"blobs/{digest(body).replace(':', '/')}"
    yield Hostile("a wrong digest", tar_of({**files, place: b"\1" + body[1:]}), "its digest is")
    yield Hostile("a wrong size", tar_of({**files, place: body + b"\0"}), "and should have")
    kind = "application/vnd.evil.layer.v1.rar"
    odd = oci_image(layer(a=b"a"), media_type=kind)
    typed = oci_files(index(odd.entry(**named(_NAME))), *odd.blobs)
    yield Hostile("a layer of a strange type", tar_of(typed), "is of type")
    other: dict[str, Any] = configuration(layer(b=b"b"))
    yield Hostile("a wrong diff id", tar_of(docker_files(layer(a=b"a"), **other)), "is not what")
    more: dict[str, Any] = configuration(layer(a=b"a"), layer(a=b"a"))
    yield Hostile("too few layers", tar_of(docker_files(layer(a=b"a"), **more)), "has 1 layers")
    tall = [layer(**{f"f{number}": b""}) for number in range(130)]
    yield Hostile("a tower of layers", tar_of(docker_files(*tall)), "can be stacked")
    yield Hostile("the same layer twice", _tagged(layer(a=b"a"), layer(a=b"a")), "")


def _layers(outside: str) -> Iterator[Hostile]:
    """What is wrong with what a layer holds: containerd unpacks it below its own directory."""
    link, hard = tarfile.SYMTYPE, tarfile.LNKTYPE
    up = "../" * 12 + outside.lstrip("/")
    yield Hostile("layer: an absolute path", _tagged(tar(member(f"{outside}/a", b"x"))), "")
    yield Hostile("layer: a path upwards", _tagged(tar(member(f"{up}/b", b"x"))), "")
    through = member("l", kind=link, link=outside) + member("l/c", b"x")
    yield Hostile("layer: a file through a link", _tagged(tar(through)), "")
    through = member("l", kind=link, link=up) + member("l/d", b"x")
    yield Hostile("layer: a file through a link upwards", _tagged(tar(through)), "")
    leads = member("l", kind=hard, link=f"{up}/canary")
    yield Hostile("layer: a hard link out", _tagged(tar(leads)), "cannot unpack")
    yield Hostile("layer: a whiteout of all", _tagged(tar(member("a/.wh..", b""))), "cannot unpack")
    gone = member(f"{up}/.wh.canary", b"")
    yield Hostile("layer: a whiteout outside", _tagged(tar(gone)), "")
    kept = member(f"{up}/.wh..wh..opq", b"")
    yield Hostile("layer: an opaque directory outside", _tagged(tar(kept)), "")
    yield Hostile("layer: no tar at all", _tagged(b"\7" * 4096), "cannot unpack")
    whole = tar(member("a", b"x" * 5000))
    yield Hostile("layer: cut in the middle", _tagged(whole[:1024]), "cannot unpack")
    long_ = _pax(b"comment", b"x" * (3 << 20)) + member("a")
    yield Hostile("layer: a huge header", _tagged(tar(long_)), "cannot unpack")


def _bombs() -> Iterator[Hostile]:
    """What is small here, and fills the disk or the memory of whoever unpacks it."""
    packed = _gzip_bomb()
    yield Hostile("a gzip bomb", packed, "more than")
    yield Hostile("layer: a gzip bomb", _one_blob(packed, "+gzip"), "unpacks to more than")
    yield Hostile("layer: a zstd bomb", _one_blob(_zstd_bomb(), "+zstd"), "unpacks to more than")
    yield Hostile("layer: a sparse bomb", _one_blob(_sparse_bomb(), ""), "unpacks to more than")
    yield Hostile("layer: an old sparse bomb", _one_blob(_old_sparse_bomb(), ""), "cannot unpack")


def _manifest(body: bytes) -> bytes:
    return tar(member("manifest.json", body))


def _entry(config: str) -> bytes:
    return json.dumps([{"Config": config, "RepoTags": [_NAME], "Layers": []}]).encode()


def _tagged(*layers: bytes) -> bytes:
    return tar_of(docker_files(*layers, tags=(_NAME,)))


def _one_blob(blob: bytes, compression: str) -> bytes:
    """An image of one layer, whose diff id nobody comes to compare."""
    config = written(configuration(b"whatever"))
    manifest = written(
        {
            "schemaVersion": 2,
            "config": described(f"{OCI}.config.v1+json", config),
            "layers": [described(f"{OCI}.layer.v1.tar{compression}", blob)],
        }
    )
    entry = described(f"{OCI}.manifest.v1+json", manifest, **named(_NAME))
    return tar_of(oci_files(index(entry), manifest, config, blob))


def _pax(key: bytes, value: bytes) -> bytes:
    return _pax_raw(_pax_record(key, value))


def _pax_record(key: bytes, value: bytes) -> bytes:
    rest = b" " + key + b"=" + value + b"\n"
    length = len(rest)
    while length != len(str(length)) + len(rest):
        length = len(str(length)) + len(rest)
    return str(length).encode() + rest


def _pax_raw(body: bytes) -> bytes:
    return member(_PAX, body, kind=tarfile.XHDTYPE)


def _large(size: int) -> bytes:
    header = tarfile.TarInfo("large")
    header.size = size
    return header.tobuf(tarfile.GNU_FORMAT)


def _gzip_bomb() -> bytes:
    """A tar of one file of zeros."""
    packed = zlib.compressobj(9, wbits=31)
    out = io.BytesIO(packed.compress(_large(BOMB)))
    out.seek(0, io.SEEK_END)
    for _ in range(BOMB // _PIECE):
        out.write(packed.compress(bytes(_PIECE)))
    out.write(packed.compress(bytes(1024)) + packed.flush())
    return out.getvalue()


def _zstd_bomb() -> bytes:
    """The same: a raw block with the header, then blocks that say "this byte, so often"."""
    most = 128 << 10
    header = _large(BOMB)
    zeros = _zstd_block(most, repeated=True) + b"\0"
    last = _zstd_block(1024, repeated=True, last=True) + b"\0"
    frame = struct.pack("<IBB", 0xFD2FB528, 0, 0x50)
    return frame + _zstd_block(len(header)) + header + zeros * (BOMB // most) + last


def _zstd_block(size: int, *, repeated: bool = False, last: bool = False) -> bytes:
    return (size << 3 | repeated << 1 | last).to_bytes(3, "little")


def _sparse_bomb() -> bytes:
    """A file of which nothing is stored, and all is claimed."""
    size = str(BOMB).encode()
    said = {b"major": b"1", b"minor": b"0", b"name": b"large", b"realsize": size}
    headers = b"".join(_pax_record(b"GNU.sparse." + key, value) for key, value in said.items())
    holes = b"1\n" + size + b"\n0\n"
    return tar(_pax_raw(headers), member("large", holes + b"\0" * (512 - len(holes))))


def _old_sparse_bomb() -> bytes:
    """The same of GNU's old kind."""
    header = bytearray(member("large", kind=tarfile.GNUTYPE_SPARSE))
    header[257:265] = b"ustar  \0"
    header[386:410] = b"%011o\0%011o\0" % (BOMB, 0)
    header[483:495] = b"%011o\0" % BOMB
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header[:512])
    return tar(bytes(header))
