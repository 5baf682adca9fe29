"""The options that open or close a container's walls, as they are known from other commands."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    from collections.abc import Iterable

    from moorage.v1.security_pb2 import Device, DeviceRule

_ACCESS: Final = re.compile(r"[rwm]{1,3}")
_RULE: Final = re.compile(r"([abc]) ([0-9]+|\*):([0-9]+|\*) ([rwm]{1,3})")
_TYPES: Final = {"a": "UNSPECIFIED", "b": "BLOCK", "c": "CHARACTER"}
_LABEL: Final = "label"

SECURITY_OPTIONS: Final = (
    click.option("--init", is_flag=True, help="Have an init as its first process."),
    click.option("--privileged", is_flag=True, help="Without walls, if the policy allows it."),
    click.option("--cap-add", multiple=True, metavar="CAPABILITY", help="Or ALL. Repeatable."),
    click.option("--cap-drop", multiple=True, metavar="CAPABILITY", help="Or ALL. Repeatable."),
    click.option(
        "--device",
        multiple=True,
        metavar="DEVICE[:PATH[:ACCESS]]",
        help="A device of the host's, or a CDI name. Repeatable.",
    ),
    click.option(
        "--device-cgroup-rule",
        multiple=True,
        metavar="RULE",
        help="'c 1:3 rwm'. Repeatable.",
    ),
    click.option(
        "--security-opt",
        multiple=True,
        metavar="OPTION",
        help="no-new-privileges, seccomp=FILE or unconfined, apparmor=PROFILE, mask=PATH,"
        " systempaths=unconfined. Repeatable.",
    ),
    click.option("--cgroup-parent", default="", metavar="PATH", help="A cgroup to share."),
    click.option("--sysctl", multiple=True, metavar="NAME=VALUE", help="Repeatable."),
)


def security_of(options: dict[str, Any]) -> dict[str, Any]:
    """Take what SECURITY_OPTIONS gave out of ``options``, and return fields of a spec."""
    devices = options.pop("device")
    return {
        "init": options.pop("init"),
        "privileged": options.pop("privileged"),
        "capabilities_add": options.pop("cap_add"),
        "capabilities_drop": options.pop("cap_drop"),
        "devices": [_device(text) for text in devices if not _is_cdi(text)],
        "cdi_devices": [text for text in devices if _is_cdi(text)],
        "device_rules": [_rule(text) for text in options.pop("device_cgroup_rule")],
        "cgroup_parent": options.pop("cgroup_parent"),
        "sysctls": dict(_setting(text) for text in options.pop("sysctl")),
        **_confinement(options.pop("security_opt")),
    }


def _is_cdi(text: str) -> bool:
    return not text.startswith("/") and "=" in text


def _device(text: str) -> Device:
    from moorage.v1.security_pb2 import Device

    source, *rest = text.split(":")
    access = rest.pop() if rest and _ACCESS.fullmatch(rest[-1]) else ""
    if len(rest) > 1 or not source.startswith("/"):
        raise click.BadParameter(f"{text!r} is not DEVICE[:PATH[:ACCESS]]", param_hint="--device")
    return Device(source=source, destination=rest[0] if rest else "", access=access)


def _rule(text: str) -> DeviceRule:
    from moorage.v1.security_pb2 import DeviceRule

    if (match := _RULE.fullmatch(text)) is None:
        raise click.BadParameter(
            f"{text!r} is not like 'c 1:3 rwm'", param_hint="--device-cgroup-rule"
        )
    major, minor = (None if part == "*" else int(part) for part in (match[2], match[3]))
    kind = f"DEVICE_TYPE_{_TYPES[match[1]]}"
    return DeviceRule(type=kind, major=major, minor=minor, access=match[4])


def _setting(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise click.BadParameter(f"{text!r} is not NAME=VALUE", param_hint="--sysctl")
    return name, value


def _confinement(options: Iterable[str]) -> dict[str, Any]:
    from moorage.v1.security_pb2 import Seccomp, SystemPaths

    fields: dict[str, Any] = {}
    paths = SystemPaths()
    for option in options:
        match re.split("[=:]", option, maxsplit=1):
            case ["no-new-privileges"] | ["no-new-privileges", "true"]:
                fields["no_new_privileges"] = True
            case ["seccomp", "unconfined"]:
                fields["seccomp"] = Seccomp(unconfined=True)
            case ["seccomp", file]:
                fields["seccomp"] = Seccomp(profile=_read(file))
            case ["apparmor", profile]:
                fields["apparmor_profile"] = profile
            case ["systempaths", "unconfined"]:
                paths.unconfined = True
            case ["mask", listed]:
                paths.masked.extend(listed.split(":"))
            case [name, value] if name == _LABEL:
                fields["selinux_label"] = value
            case _:
                raise click.BadParameter(
                    f"{option!r} is not known here", param_hint="--security-opt"
                )
    return {**fields, "system_paths": paths} if paths.ByteSize() else fields


def _read(file: str) -> str:
    try:
        return Path(file).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise click.BadParameter(f"cannot read {file!r}: {why}", param_hint="seccomp") from error
