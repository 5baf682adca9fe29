"""What the runtime's words mean. The one place that reads them.

containerd answers UNKNOWN to nearly all that a runtime refuses, and only the text says why.
The words are those of runc and crun about a container's own program and mounts. What looks
alike but speaks of the runtime or the shim itself stays RuntimeRefused.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import Final

from moored import errors

_RUNC: Final = (
    r"(?:unable to start container process|starting container process caused)"
    r"(?:: error during container init)?:? \"?"
)
_CRUN: Final = r"OCI runtime \w+ failed: "
_QUOTED: Final = r"\"(?:[^\"\\]|\\.)*\""
_PROGRAM: Final = re.compile(
    rf"{_RUNC}exec:? (?P<program>{_QUOTED}|\S+): (?:stat .+: )?(?P<why>[^:]+?)\Z"
    rf"|{_CRUN}exec container process (?:\(.*\) )?`(?P<executed>.*)`: (?P<errno>[^:]+)\Z"
    rf"|{_CRUN}executable file `(?P<sought>.*)` (?P<nowhere>not found in \$PATH)\b"
    rf"|{_CRUN}open executable: (?P<unopened>[^:]+)\Z",
    re.DOTALL,
)
_DIRECTORY: Final = re.compile(
    rf"{_RUNC}chdir to cwd \((?P<directory>{_QUOTED})\) set in config.json failed:"
    r" (?P<why>[^:]+?)\Z",
    re.DOTALL,
)
_MOUNT: Final = re.compile(
    rf"{_RUNC}error mounting (?P<source>{_QUOTED}) to rootfs at"
    rf" (?P<target>{_QUOTED}): .*: (?:not|is) a directory\Z"
    rf"|{_CRUN}mount `(?P<mounted>.*)` to `(?P<onto>.*)`: (?:Not|Is) a directory\Z"
    rf"|{_CRUN}open `[^`]*/rootfs/(?P<below>.*)`: Not a directory\Z",
    re.DOTALL,
)
_ABSENT: Final = re.compile(r"not found|no such file", re.IGNORECASE)
_TAIL: Final = re.compile(r"\"?: unknown\Z")


def meaning(refused: errors.RuntimeRefused) -> errors.MooredError:
    """Return the error that names what was wrong, if the words do."""
    words = _TAIL.sub("", refused.message)
    if match := _PROGRAM.search(words):
        return _about_program(match, refused)
    if match := _DIRECTORY.search(words):
        return _about_directory(match)
    if match := _MOUNT.search(words):
        return _about_mount(match, refused)
    return refused


def says_already_finished(refused: errors.RuntimeRefused) -> bool:
    """Whether a signal came too late."""
    return "process already finished" in refused.message


def says_shim_gone(refused: errors.RuntimeRefused) -> bool:
    """Whether the answer is only that nobody at the shim's end could give one."""
    return "ttrpc: closed" in refused.message


def _about_program(match: re.Match[str], refused: errors.RuntimeRefused) -> errors.MooredError:
    program = _unquoted(match["program"] or "") or match["executed"] or match["sought"] or ""
    why = match["why"] or match["errno"] or match["nowhere"] or match["unopened"]
    kind: type[errors.MooredError] = errors.CommandNotExecutable
    if _ABSENT.search(why):
        kind = errors.CommandNotFound
    named = f"{program!r}" if program else "the command"
    return kind(f"cannot execute {named}: {why[0].lower()}{why[1:]}", **refused.facts)


def _about_directory(match: re.Match[str]) -> errors.MooredError:
    directory, why = _unquoted(match["directory"]), match["why"]
    return errors.InvalidField(
        f"cannot use working directory {directory!r}: {why}",
        errors.Violation("spec.working_dir", why),
    )


def _about_mount(match: re.Match[str], refused: errors.RuntimeRefused) -> errors.MooredError:
    source = _unquoted(match["source"] or "") or match["mounted"]
    target = _unquoted(match["target"] or "") or match["onto"] or match["below"]
    what = f"{source!r} at {target!r}" if source else f"at {target!r}"
    why = "one is a directory and the other is not, or the way there leads over a file"
    return errors.MountMismatch(f"cannot mount {what}: {why}", **refused.facts)


def _unquoted(text: str) -> str:
    """Return what Go put into quotes; its escapes are JSON's, but for rare ones."""
    with suppress(ValueError):
        if text.startswith('"'):
            return str(json.loads(text))
    return text.strip('"')
