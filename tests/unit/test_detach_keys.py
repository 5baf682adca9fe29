"""Detach keys are found wherever they are typed; everything else is sent."""

from __future__ import annotations

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moorage.cli.detach_keys import DEFAULT, DetachKeys, keys

SEQUENCES = st.binary(min_size=1, max_size=4)
TYPED = st.lists(st.binary(max_size=6))


@pytest.mark.parametrize(
    ("text", "typed"),
    [(DEFAULT, b"\x10\x11"), ("a", b"a"), ("ctrl-@,x", b"\x00x"), ("CTRL-[", b"\x1b"), ("", b"")],
)
def test_keys_are_named_as_everybody_names_them(text: str, typed: bytes) -> None:
    assert keys(text) == typed


@pytest.mark.parametrize("text", ["ctrl-", "ctrl-1", "ab", "ä", ",", "ctrl-p,"])
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter):
        keys(text)


@given(SEQUENCES, TYPED)
def test_all_is_sent_up_to_where_the_keys_are_first_typed(
    sequence: bytes, typed: list[bytes]
) -> None:
    detach, sent = DetachKeys(sequence), bytearray()
    for piece in typed:
        sent += detach.sift(piece)
        if detach.found:
            break
    whole = b"".join(typed)
    at = whole.find(sequence)
    assert detach.found == (at >= 0)
    if at >= 0:
        assert bytes(sent) == whole[:at]
    else:  # what may become the keys waits
        assert whole.startswith(bytes(sent))
        assert sequence.startswith(whole[len(sent) :])


@given(st.binary())
def test_without_keys_all_is_sent_at_once(typed: bytes) -> None:
    assert DetachKeys(b"").sift(typed) == typed
