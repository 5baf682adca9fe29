"""The law: what is sealed is opened by the same key, whole and unchanged, or not at all."""

from __future__ import annotations

import base64
import stat
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moored import errors
from moored.storage.vault import KEY_FILE, Vault

if TYPE_CHECKING:
    from pathlib import Path

KEY = bytes(range(32))


@given(st.binary(max_size=1000))
def test_what_was_sealed_comes_back(content: bytes) -> None:
    vault = Vault(KEY, "key")
    sealed = vault.seal(content)
    assert vault.open(sealed) == content
    assert len(content) < 4 or content not in base64.b64decode(sealed)
    assert vault.seal(content) != sealed


@given(st.binary(max_size=100), st.integers(min_value=0), st.integers(1, 255))
def test_what_was_changed_is_not_opened(content: bytes, place: int, change: int) -> None:
    vault = Vault(KEY, "key")
    raw = bytearray(base64.b64decode(vault.seal(content)))
    raw[place % len(raw)] ^= change
    with pytest.raises(ValueError, match="not sealed by the key"):
        vault.open(base64.b64encode(raw).decode())


@pytest.mark.parametrize("sealed", ["", "?", "AAAA", "A" * 16])
def test_what_was_never_sealed_is_not_opened(sealed: str) -> None:
    with pytest.raises(ValueError, match="not sealed by the key"):
        Vault(KEY, "key").open(sealed)


def test_another_key_opens_nothing_and_marks_otherwise() -> None:
    one, other = Vault(KEY, "one"), Vault(KEY[::-1], "other")
    with pytest.raises(ValueError, match="'other'"):
        other.open(one.seal(b"x"))
    assert one.mark(b"x") == Vault(KEY, "again").mark(b"x") != other.mark(b"x")
    assert one.mark(b"x") != one.mark(b"y")


def test_the_key_is_made_once_and_is_roots_alone(tmp_path: Path) -> None:
    sealed = Vault.at(tmp_path).seal(b"x")
    assert Vault.at(tmp_path).open(sealed) == b"x"
    assert stat.S_IMODE((tmp_path / KEY_FILE).stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [KEY_FILE]


def test_a_key_that_was_half_made_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "secrets.new").write_bytes(b"half")
    Vault.at(tmp_path).seal(b"x")
    assert [path.name for path in tmp_path.iterdir()] == [KEY_FILE]


@pytest.mark.parametrize(
    ("content", "mode", "why"),
    [(b"short", 0o600, "is no key"), (KEY * 2, 0o600, "is no key"), (KEY, 0o640, "chmod 0600")],
)
def test_what_is_no_key_is_refused_and_stays(
    tmp_path: Path, content: bytes, mode: int, why: str
) -> None:
    path = tmp_path / KEY_FILE
    path.write_bytes(content)
    path.chmod(mode)
    with pytest.raises(errors.SetupRefused, match=why):
        Vault.at(tmp_path)
    assert path.read_bytes() == content


def test_a_key_that_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(KEY)
    (tmp_path / KEY_FILE).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(errors.SetupRefused, match="cannot use key"):
        Vault.at(tmp_path)
