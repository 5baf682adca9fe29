"""How the commands of moored end when they do not end well."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final, NoReturn

import click

if TYPE_CHECKING:
    from moored.errors import MooredError

REFUSED: Final = 1
"""It could not be done, or something is left to do."""
MISUSED: Final = 2
FAULTY: Final = 3
"""It was looked at, and is not whole."""


def end(refusal: MooredError, code: int) -> NoReturn:
    click.echo(f"moored: {refusal.message}", err=True)
    sys.exit(code)
