"""One container from beginning to end, on a containerd of its own, and nothing left.

    make demo

Needs root, and no system service. Everything lies in one scratch directory and under one
instance's name, so that it disturbs nobody and can be looked for afterwards, from outside.
"""

from __future__ import annotations

import asyncio
import secrets
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import grpc
import moorage
from moorage.v1 import container_pb2, container_service_pb2

from demo import busybox_image, left
from tests.outside import containerd as outside
from tests.outside import processes
from tests.outside.world import Place, difference, look, settled
from tests.real.moored import Moored

if TYPE_CHECKING:
    from collections.abc import Iterator

    from moorage.v1.container_pb2 import Container

_ANSWER_WITHIN: Final = 30.0
_STOP_WITHIN: Final = 30.0
_SETTLE_WITHIN: Final = 10.0
_SCRIPT: Final = """\
echo "hello from $(hostname), as process $$"
for line in one two three; do sleep 0.1; echo "line $line"; done
echo "this goes to stderr" >&2
exit 7
"""
_BEGAN: Final = time.monotonic()


class Left(Exception):
    """Something is still there that should be gone."""


@contextmanager
def stage(title: str) -> Iterator[None]:
    """Say what happens now, and how long it took."""
    print(f"\n{title}", flush=True)
    began = time.monotonic()
    yield
    print(f"  ({time.monotonic() - began:.2f} s)", flush=True)


def say(*words: object) -> None:
    print(" ", *words, flush=True)
