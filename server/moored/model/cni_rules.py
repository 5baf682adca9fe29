"""Which wishes that only plugins can fulfil make sense anywhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from moored.errors import Violation
from moored.model.network import Attachment, Bandwidth

MOST_ALIASES: Final = 64
MOST_ARGUMENTS: Final = 64
LONGEST_VALUE: Final = 4096
"""Characters."""
LARGEST_RATE: Final = 2**53
"""Bits: what every reader of JSON takes for the same number."""
_ALIAS: Final = re.compile(r"(?=.{1,253}\Z)[a-zA-Z0-9_]([a-zA-Z0-9_.-]*[a-zA-Z0-9_])?")
_KEY: Final = re.compile(r"[a-zA-Z0-9_.]{1,128}")


def violations(asked: Attachment) -> Iterator[Violation]:
    """Yield each field that breaks its rule, with paths relative to the attachment."""
    if asked.bandwidth is not None:
        yield from _bandwidth(asked.bandwidth)
    if len(asked.aliases) > MOST_ALIASES:
        yield Violation("aliases", f"are more than {MOST_ALIASES}")
    for number, alias in enumerate(asked.aliases):
        if not _ALIAS.fullmatch(alias):
            yield Violation(f"aliases[{number}]", "must be a host's name")
    yield from _arguments(asked)


def _bandwidth(limits: Bandwidth) -> Iterator[Violation]:
    for way in ("ingress", "egress"):
        rate, burst = getattr(limits, f"{way}_rate"), getattr(limits, f"{way}_burst")
        for name, value in ((f"{way}_rate", rate), (f"{way}_burst", burst)):
            if value > LARGEST_RATE:
                yield Violation(f"bandwidth.{name}", f"is larger than {LARGEST_RATE} bits")
        if (rate == 0) is not (burst == 0):
            yield Violation(f"bandwidth.{way}_rate", f"goes together with {way}_burst")


def _arguments(asked: Attachment) -> Iterator[Violation]:
    if len(asked.arguments) > MOST_ARGUMENTS:
        yield Violation("cni_args", f"are more than {MOST_ARGUMENTS}")
    for key, value in asked.arguments.items():
        if not _KEY.fullmatch(key):
            yield Violation(f"cni_args[{key!r}]", 'needs a key of letters, digits, "_" and "."')
        elif len(value) > LONGEST_VALUE or ";" in value or not (value + "x").isprintable():
            why = f'must be at most {LONGEST_VALUE} printable characters without ";"'
            yield Violation(f"cni_args[{key!r}]", why)
