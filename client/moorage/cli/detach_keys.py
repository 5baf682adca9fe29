"""The keys that detach from what runs: found in what is typed, and never sent."""

from __future__ import annotations

import re
from typing import Final

import click

DEFAULT: Final = "ctrl-p,ctrl-q"
_CONTROL: Final = re.compile(r"ctrl-([a-z@\[\\\]^_])")


def keys(text: str) -> bytes:
    """Return the bytes that a list of keys types: ``ctrl-p,ctrl-q`` or ``ctrl-@,x``."""
    return b"".join(_key(name) for name in text.split(",")) if text else b""


def _key(name: str) -> bytes:
    if match := _CONTROL.fullmatch(name.lower()):
        return bytes([ord(match[1].upper()) & 0x1F])
    if len(name) == 1 and name.isascii() and name.isprintable():
        return name.encode()
    raise click.BadParameter(f"{name!r} is no key: a character, or ctrl- and one")


class DetachKeys:
    """Looks for ``sequence`` in what is typed. Empty: nothing detaches."""

    def __init__(self, sequence: bytes) -> None:
        self._sequence = sequence
        self._waiting = b""
        """What was typed of the sequence, and may become it."""
        self.found = False

    def sift(self, typed: bytes) -> bytes:
        """Return what of ``typed``, and of what waited, is to be sent."""
        if not self._sequence:
            return typed
        sent = bytearray()
        for number in range(len(typed)):
            self._waiting += typed[number : number + 1]
            while not self._sequence.startswith(self._waiting):
                sent += self._waiting[:1]
                self._waiting = self._waiting[1:]
            if self._waiting == self._sequence:
                self.found = True
                break
        return bytes(sent)
