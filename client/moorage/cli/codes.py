"""What the exit codes mean, to scripts and in the help."""

from __future__ import annotations

from typing import Final

from moorage import errors

FAILED: Final = 1
MISUSED: Final = 2
NOT_FOUND: Final = 3
UNREACHABLE: Final = 4
NOT_STARTED: Final = 125
NOT_EXECUTABLE: Final = 126
COMMAND_NOT_FOUND: Final = 127
INTERRUPTED: Final = 130
READER_GONE: Final = 141

EPILOG: Final = f"""\b
Exit codes:
    0  done
  {FAILED:3}  refused or failed; the line on stderr says why
  {MISUSED:3}  wrong usage
  {NOT_FOUND:3}  no such container, image or run
  {UNREACHABLE:3}  moored cannot be reached, or did not answer in time
  {INTERRUPTED:3}  interrupted (Ctrl-C)
  {READER_GONE:3}  nobody reads the output any more
run, exec and attach end with the exit code of what ran, with 0 where it was detached, or:
  {NOT_STARTED:3}  it was not started, or how it ended is not known
  {NOT_EXECUTABLE:3}  its command cannot be executed
  {COMMAND_NOT_FOUND:3}  its command was not found
"""

_OF_ERROR: Final[dict[type[errors.MoorageError], int]] = {
    errors.ContainerNotFound: NOT_FOUND,
    errors.ImageNotFound: NOT_FOUND,
    errors.RunNotFound: NOT_FOUND,
    errors.Unreachable: UNREACHABLE,
    errors.DeadlinePassed: UNREACHABLE,
}
_OF_START: Final[dict[type[errors.MoorageError], int]] = {
    errors.CommandNotExecutable: NOT_EXECUTABLE,
    errors.CommandNotFound: COMMAND_NOT_FOUND,
}


def left(signal: int) -> int:
    """Return the code of a command that left what goes on, by a signal or because it was told."""
    return 128 + signal if signal else 0


def of(error: errors.MoorageError) -> int:
    return _OF_ERROR.get(type(error), FAILED)


def of_run(error: errors.MoorageError) -> int:
    """Return the code of a ``run`` that did not come to its container's own."""
    return _OF_START.get(type(error), NOT_STARTED)
