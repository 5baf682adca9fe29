"""An archive is hostile until proven otherwise: found by name inside it, bounded, or refused."""

from __future__ import annotations

import hashlib
import io
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moored import errors
from moored.containerd.archive import LARGEST_DOCUMENT, MOST_MEMBERS, Archive, read_archive
from tests.unit.tars import Bytes, member, tar, tar_of

HEADER = 512


def read(archive: bytes) -> Archive:
    return read_archive(Bytes(archive))


def pax(**records: str) -> bytes:
    """Return a pax header whose records are as given."""
    body = b""
    for key, value in records.items():
        rest = f" {key}={value}\n".encode()
        length = len(rest) + 1
        while len(str(length)) + len(rest) != length:
            length += 1
        body += str(length).encode() + rest
    return member("PaxHeader", body, kind=tarfile.XHDTYPE)


def test_files_are_found_by_their_shortest_name() -> None:
    archive = read(tar_of({"./a/b": b"one", "c": b"two"}))
    assert archive.document("a/b") == b"one"
    assert archive.document("c") == b"two"
    assert "d" not in archive


def test_digests_are_of_the_files_bytes() -> None:
    body = bytes(range(256)) * 10_000
    archive = read(tar_of({"x": b"before", "blob": body}))
    region = archive.locate("blob")
    assert archive.digest(region) == f"sha256:{hashlib.sha256(body).hexdigest()}"
    assert archive.head(region, 4) == body[:4]


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_names_and_links_are_read_in_every_form(form: int) -> None:
    name = "/".join(["directory"] * 20)
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        info = tarfile.TarInfo(name)
        info.size = 4
        archive.addfile(info, io.BytesIO(b"body"))
        link = tarfile.TarInfo("short")
        link.type, link.linkname = tarfile.SYMTYPE, name
        archive.addfile(link)
    assert read(out.getvalue()).document("short") == b"body"


def test_links_between_members_are_followed() -> None:
    archive = read(
        tar(
            member("one/layer.tar", b"layer"),
            member("two/layer.tar", kind=tarfile.SYMTYPE, link="../one/layer.tar"),
            member("three", kind=tarfile.LNKTYPE, link="one/layer.tar"),
            member("four", kind=tarfile.SYMTYPE, link="two/layer.tar"),
        )
    )
    for name in ("two/layer.tar", "three", "four"):
        assert archive.document(name) == b"layer"


def test_directories_may_be_there_twice_and_are_not_files() -> None:
    twice = member("blobs/", kind=tarfile.DIRTYPE)
    assert "blobs" not in read(tar(twice, twice, member("f", b"x")))


@pytest.mark.parametrize(
    ("archive", "why"),
    [
        (tar(member("../evil", b"x")), "outside the archive"),
        (tar(member("a/../../evil", b"x")), "outside the archive"),
        (tar(member("/etc/passwd", b"x")), "outside the archive"),
        (tar(pax(path="../evil"), member("good", b"x")), "outside the archive"),
        (tar(member("l", kind=tarfile.SYMTYPE, link="/etc/passwd")), "leads outside"),
        (tar(member("a/l", kind=tarfile.SYMTYPE, link="../../x")), "leads outside"),
        (tar(member("l", kind=tarfile.LNKTYPE, link="../x")), "leads outside"),
        (tar(member("a", b"1"), member("./a", b"2")), "'a' is there twice"),
        (tar(member("s", b"", kind=tarfile.GNUTYPE_SPARSE)), "sparse"),
        (tar(pax(**{"GNU.sparse.major": "1"}), member("s", b"x")), "sparse"),
        (tar(pax(size="99999999999"), member("a", b"x")), "ends in the middle"),
        (tar(pax(size="-1"), member("a", b"x")), "not a number"),
        (tar(member("x", b"17 path", kind=tarfile.XHDTYPE), member("a")), "broken pax"),
        (tar(member("x", b"0 a=b\n", kind=tarfile.XHDTYPE), member("a")), "broken pax"),
        (tar(member("x", b"n" * 70_000, kind=tarfile.GNUTYPE_LONGNAME)), "header of 70000"),
        (member("a", b"x" * 2000)[:1024], "ends in the middle"),
        (member("a", b"x") + b"garbage" * 100, "broken at byte 1024"),
        (b"\0" * 1024, "not a tar"),
        (b"what is this", "not a tar"),
    ],
)
def test_hostile_archives_are_refused_and_told_why(archive: bytes, why: str) -> None:
    with pytest.raises(errors.ArchiveInvalid, match=why):
        read(archive)


def test_members_are_counted() -> None:
    with pytest.raises(errors.ArchiveInvalid, match="more than 20000 members"):
        read(tar_of({f"f{number}": b"" for number in range(MOST_MEMBERS + 1)}))


def test_what_is_no_file_is_counted_too() -> None:
    directory = member("d/", kind=tarfile.DIRTYPE)
    with pytest.raises(errors.ArchiveInvalid, match="more than 20000 members"):
        read(directory * (5 * MOST_MEMBERS))


def test_links_in_a_circle_are_refused() -> None:
    archive = read(
        tar(
            member("a", kind=tarfile.SYMTYPE, link="b"),
            member("b", kind=tarfile.SYMTYPE, link="a"),
        )
    )
    with pytest.raises(errors.ArchiveInvalid, match="circle"):
        archive.locate("a")


def test_a_link_to_nothing_is_a_missing_file() -> None:
    archive = read(tar(member("a", kind=tarfile.SYMTYPE, link="gone")))
    with pytest.raises(errors.ArchiveInvalid, match="'a' is missing"):
        archive.document("a")


def test_documents_are_bounded() -> None:
    archive = read(tar_of({"index.json": b" " * (LARGEST_DOCUMENT + 1)}))
    with pytest.raises(errors.ArchiveInvalid, match="4194304 are read"):
        archive.document("index.json")


WELL_MADE = tar(
    pax(path="some/long/name"),
    member("x", b"body of x"),
    member("link", kind=tarfile.SYMTYPE, link="some/long/name"),
    member("n" * 120, kind=tarfile.GNUTYPE_LONGNAME),
)


@given(position=st.integers(0, len(WELL_MADE) - 1), value=st.binary(min_size=1, max_size=16))
def test_any_damage_ends_in_an_archive_or_a_refusal(position: int, value: bytes) -> None:
    damaged = WELL_MADE[:position] + value + WELL_MADE[position + len(value) :]
    try:
        archive = read(damaged)
    except errors.ArchiveInvalid:
        return
    assert isinstance(archive, Archive)


@given(st.binary(max_size=2048))
def test_any_bytes_end_in_an_archive_or_a_refusal(written: bytes) -> None:
    try:
        read(written)
    except errors.ArchiveInvalid:
        return
