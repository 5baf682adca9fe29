"""The law of refusals: the runtime's words decide between 127, 126, a mount and none of these.

Each row is what runc 1.1.5 or crun 1.8 said, seen through containerd; a few are what other
releases of runc say instead.
"""

from __future__ import annotations

import pytest

from moored import errors
from moored.containerd import refusals

_SHIM = "cannot create task 'x.1': failed to create shim task: "
_RUNC = f"{_SHIM}OCI runtime create failed: runc create failed: unable to start container process: "
_INIT = f"{_RUNC}error during container init: "
_OLD = f"{_SHIM}OCI runtime create failed: container_linux.go:380: starting container process "
_CRUN = f"{_SHIM}OCI runtime create failed: "
_BUNDLE = "/run/x/io.containerd.runtime.v2.task/moorage/x.1"
_NO_LOG = (
    f"unable to retrieve OCI runtime error (open {_BUNDLE}/log.json: no such file or directory): "
)

NOT_FOUND = (
    f'{_RUNC}exec: "nope": executable file not found in $PATH: unknown',
    f'{_RUNC}exec: "": executable file not found in $PATH: unknown',
    f'{_RUNC}exec: "/nope": stat /nope: no such file or directory: unknown',
    f'{_RUNC}exec: "./a b": stat ./a b: no such file or directory: unknown',
    f'{_INIT}exec: "nope": executable file not found in $PATH: unknown',
    f'{_OLD}caused: exec: "nope": executable file not found in $PATH: unknown',
    f"{_INIT}exec /bin/script: no such file or directory: unknown",
    f"{_CRUN}executable file `nope` not found in $PATH: No such file or directory: unknown",
    f"{_CRUN}executable file `/nope` not found in $PATH: No such file or directory: unknown",
    f"{_CRUN}exec container process (missing dynamic library?) `/bin/script`:"
    " No such file or directory: unknown",
)
NOT_EXECUTABLE = (
    f'{_RUNC}exec: "/etc": permission denied: unknown',
    f'{_RUNC}exec: "/etc": is a directory: unknown',
    f'{_RUNC}exec: "/etc/passwd": permission denied: unknown',
    f'{_RUNC}exec: "/bin/loop": stat /bin/loop: too many levels of symbolic links: unknown',
    f'{_RUNC}exec: "/etc/passwd/x": stat /etc/passwd/x: not a directory: unknown',
    f'{_RUNC}exec: "/no such file or directory": permission denied: unknown',
    f'{_INIT}exec: "/a: \\"b": permission denied: unknown',
    f"{_INIT}exec /bin/bad: exec format error: unknown",
    f"{_CRUN}open executable: Permission denied: unknown",
    f"{_CRUN}open executable: Operation not permitted: unknown",
    f"{_CRUN}open executable: Not a directory: unknown",
    f"{_CRUN}exec container process `/bin/bad`: Exec format error: unknown",
)
MISMATCHED = (
    f'{_INIT}error mounting "/etc/hostname" to rootfs at "/etc":'
    " mount /etc/hostname:/etc (via /proc/self/fd/6), flags: 0x5001: not a directory: unknown",
    f'{_INIT}error mounting "/etc/hostname" to rootfs at "/etc/passwd/x":'
    f" open o_path procfd: open {_BUNDLE}/rootfs/etc/passwd/x: not a directory: unknown",
    f"{_CRUN}mount `/etc/hostname` to `etc`: Not a directory: unknown",
    f"{_CRUN}open `{_BUNDLE}/rootfs/etc/passwd/x`: Not a directory: unknown",
)
NEITHER = (
    f"{_INIT}mkdir /etc/passwd: not a directory: unknown",
    f'{_INIT}error mounting "/nope" to rootfs at "/mnt":'
    " stat /nope: no such file or directory: unknown",
    f"{_CRUN}{_NO_LOG}fork/exec /nope/runc: no such file or directory: unknown",
    f'{_CRUN}{_NO_LOG}exec: "nope": executable file not found in $PATH: unknown',
    f"{_CRUN}{_NO_LOG}/bin/false did not terminate successfully: exit status 1: unknown",
    f"{_CRUN}cgroups in hybrid mode not supported, drop all controllers from cgroupv2: unknown",
    f"{_CRUN}chdir `/etc/passwd`: Not a directory: unknown",
    f"{_CRUN}error stat'ing file `/nope`: No such file or directory: unknown",
    f'{_SHIM}failed to start shim: start failed: exec: "containerd-shim": executable file not'
    " found in $PATH: unknown",
    "cannot create task 'x.1': ttrpc: closed: unknown",
)


def _meaning(words: str) -> errors.MooredError:
    return refusals.meaning(errors.RuntimeRefused(words, run="x.1"))


@pytest.mark.parametrize("words", NOT_FOUND)
def test_a_program_that_is_not_there_is_command_not_found(words: str) -> None:
    assert type(_meaning(words)) is errors.CommandNotFound


@pytest.mark.parametrize("words", NOT_EXECUTABLE)
def test_a_program_that_is_there_but_cannot_run_is_command_not_executable(words: str) -> None:
    assert type(_meaning(words)) is errors.CommandNotExecutable


@pytest.mark.parametrize("words", MISMATCHED)
def test_a_mount_between_file_and_directory_is_a_mismatch(words: str) -> None:
    assert type(_meaning(words)) is errors.MountMismatch


@pytest.mark.parametrize("words", NEITHER)
def test_what_is_not_about_the_program_or_a_mount_keeps_its_words(words: str) -> None:
    refused = errors.RuntimeRefused(words, run="x.1")
    assert refusals.meaning(refused) is refused


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (NOT_FOUND[0], "cannot execute 'nope': executable file not found in $PATH"),
        (NOT_FOUND[2], "cannot execute '/nope': no such file or directory"),
        (NOT_FOUND[7], "cannot execute 'nope': not found in $PATH"),
        (NOT_EXECUTABLE[6], "cannot execute '/a: \"b': permission denied"),
        (NOT_EXECUTABLE[8], "cannot execute the command: permission denied"),
        (
            MISMATCHED[0],
            "cannot mount '/etc/hostname' at '/etc': one is a directory and the other is not,"
            " or the way there leads over a file",
        ),
        (
            MISMATCHED[3],
            "cannot mount at 'etc/passwd/x': one is a directory and the other is not,"
            " or the way there leads over a file",
        ),
    ],
)
def test_the_message_names_the_program_or_the_mount_in_one_sentence(words: str, said: str) -> None:
    meaning = _meaning(words)
    assert (meaning.message, meaning.facts) == (said, {"run": "x.1"})


def test_a_late_signal_and_a_lost_shim_are_told_apart() -> None:
    late = errors.RuntimeRefused("cannot send signal 9 to task 'x.1': process already finished")
    lost = errors.RuntimeRefused("cannot delete task 'x.1': ttrpc: closed: unknown")
    assert [refusals.says_already_finished(each) for each in (late, lost)] == [True, False]
    assert [refusals.says_shim_gone(each) for each in (late, lost)] == [False, True]
