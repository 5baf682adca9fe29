"""The options that limit what a container may use, as they are known from other commands."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from moorage.cli.parameters import size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from moorage.v1.container_pb2 import Resources
    from moorage.v1.resources_pb2 import BlkioThrottle, Rlimit

Command = TypeVar("Command", bound="Callable[..., Any]")

_NANO: Final = 10**9
_UNLIMITED: Final = -1
_DISK: Final = re.compile(r"(/[^:]*):([0-9]{1,15}[kmgt]?i?b?)", re.IGNORECASE)
_RLIMIT: Final = re.compile(r"([a-z]+)=(-1|[0-9]{1,18}|unlimited)(?::(-1|[0-9]{1,18}|unlimited))?")
_THROTTLES: Final = {
    "device_read_bps": "read_bps",
    "device_write_bps": "write_bps",
    "device_read_iops": "read_iops",
    "device_write_iops": "write_iops",
}


def swap(text: str) -> int:
    return _UNLIMITED if text == "-1" else size(text)


def processors(text: str) -> int:
    """Billionths of a processor."""
    try:
        count = Decimal(text)
    except InvalidOperation as error:
        raise click.BadParameter(f"{text!r} is no number of processors: 0.5, 2") from error
    if not count.is_finite() or not 0 < count < 10_000:
        raise click.BadParameter(f"{text!r} is no number of processors: 0.5, 2")
    return int(count * _NANO)


def count(text: str) -> int:
    """A number, where -1 is another word for no limit."""
    if not re.fullmatch(r"-1|[0-9]{1,15}", text):
        raise click.BadParameter(f"{text!r} is no number")
    return max(int(text), 0)


def umask(text: str) -> int:
    if not re.fullmatch(r"0?o?[0-7]{1,4}", text):
        raise click.BadParameter(f"{text!r} is no umask: 022")
    return int(text.replace("o", ""), 8)


def disk(text: str) -> tuple[str, int]:
    if (match := _DISK.fullmatch(text)) is None:
        raise click.BadParameter(f"{text!r} is not DEVICE:AMOUNT: /dev/sda:1m")
    return match[1], size(match[2])


def rlimit(text: str) -> tuple[str, int, int]:
    if (match := _RLIMIT.fullmatch(text)) is None:
        raise click.BadParameter(f"{text!r} is not NAME=SOFT[:HARD]: nofile=1024:2048")
    soft = _UNLIMITED if match[2] == "unlimited" else int(match[2])
    hard = _UNLIMITED if match[3] == "unlimited" else int(match[3] or soft)
    return match[1], soft, hard


RESOURCE_OPTIONS: Final = (
    click.option("--memory", "-m", type=size, metavar="SIZE", help="Its limit: 512m, 2g."),
    click.option(
        "--memory-swap",
        type=swap,
        metavar="SIZE",
        help="Memory and swap together; -1: all swap. Without: no swap.",
    ),
    click.option("--memory-reservation", type=size, metavar="SIZE", help="What is left to it."),
    click.option("--memory-swappiness", type=int, metavar="N", help="0 to 100, by cgroups v1."),
    click.option("--pids-limit", type=count, metavar="N", help="Processes and threads."),
    click.option("--cpus", type=processors, metavar="N", help="How many processors: 1.5."),
    click.option("--cpu-shares", "-c", type=int, metavar="N", help="Its weight; others have 1024."),
    click.option("--cpu-period", type=int, metavar="MICROSECONDS", help="What --cpu-quota is for."),
    click.option("--cpu-quota", type=int, metavar="MICROSECONDS", help="In each --cpu-period."),
    click.option("--cpu-rt-period", type=int, metavar="MICROSECONDS", help="Else 1000000."),
    click.option(
        "--cpu-rt-runtime",
        type=int,
        metavar="MICROSECONDS",
        help="Realtime in each --cpu-rt-period, of what the --cgroup-parent has.",
    ),
    click.option("--cpuset-cpus", metavar="LIST", help="Which processors: 0-3,7."),
    click.option("--cpuset-mems", metavar="LIST", help="Which memory nodes: 0,1."),
    click.option("--blkio-weight", type=int, metavar="N", help="Its weight at disks, 10 to 1000."),
    click.option(
        "--blkio-weight-device", type=disk, multiple=True, metavar="DEVICE:N", help="At one disk."
    ),
    *(
        click.option(
            f"--{name.replace('_', '-')}",
            type=disk,
            multiple=True,
            metavar="DEVICE:RATE",
            help="A second, at most. Repeatable.",
        )
        for name in _THROTTLES
    ),
)
PROCESS_OPTIONS: Final = (
    click.option(
        "--ulimit",
        type=rlimit,
        multiple=True,
        metavar="NAME=SOFT[:HARD]",
        help="A limit of each process. Repeatable.",
    ),
    click.option("--oom-score-adj", type=int, metavar="N", help="-1000 to 1000."),
    click.option("--group-add", multiple=True, metavar="GROUP", help="Another group. Repeatable."),
    click.option("--umask", type=umask, metavar="OCTAL", help="022."),
)
_RESOURCES: Final = {
    "memory": "memory_limit",
    "memory_swap": "memory_swap_limit",
    "memory_reservation": "memory_reservation",
    "memory_swappiness": "memory_swappiness",
    "pids_limit": "pids_limit",
    "cpus": "nano_cpus",
    "cpu_shares": "cpu_shares",
    "cpuset_cpus": "cpuset_cpus",
    "cpuset_mems": "cpuset_mems",
    "blkio_weight": "blkio_weight",
}
"""The options whose value is a field's."""
_TIMES: Final = ("cpu_period", "cpu_quota", "cpu_rt_period", "cpu_rt_runtime")
"""Those that are microseconds."""


def resources_of(options: dict[str, Any]) -> Resources | None:
    """Take what RESOURCE_OPTIONS gave out of ``options``; None when nothing was given."""
    from moorage.v1.container_pb2 import Resources
    from moorage.v1.resources_pb2 import BlkioWeight

    values: dict[str, Any] = {field: options.pop(name) for name, field in _RESOURCES.items()}
    for name in _TIMES:
        given = options.pop(name)
        values[name] = None if given is None else timedelta(microseconds=given)
    weights = options.pop("blkio_weight_device")
    values["blkio_weights"] = [BlkioWeight(path=path, weight=weight) for path, weight in weights]
    values["blkio_throttles"] = _throttles(options)
    resources = Resources(**values)
    return resources if resources.ByteSize() else None


def resources_given(options: dict[str, Any]) -> list[str]:
    """Return the fields of Resources that RESOURCE_OPTIONS gave a value, 0 included."""
    fields = {**_RESOURCES, **{name: name for name in _TIMES}}
    found = [field for name, field in fields.items() if options[name] is not None]
    if options["blkio_weight_device"]:
        found.append("blkio_weights")
    if any(options[name] for name in _THROTTLES):
        found.append("blkio_throttles")
    return found


def resource_options(command: Command) -> Command:
    for option in reversed(RESOURCE_OPTIONS):
        command = option(command)
    return command


def rlimits_of(entries: Iterable[tuple[str, int, int]]) -> list[Rlimit]:
    from moorage.v1.resources_pb2 import Rlimit

    return [Rlimit(name=name, soft=soft, hard=hard) for name, soft, hard in entries]


def _throttles(options: dict[str, Any]) -> list[BlkioThrottle]:
    from moorage.v1.resources_pb2 import BlkioThrottle

    found: dict[str, BlkioThrottle] = {}
    for name, field in _THROTTLES.items():
        for path, rate in options.pop(name):
            setattr(found.setdefault(path, BlkioThrottle(path=path)), field, rate)
    return list(found.values())
