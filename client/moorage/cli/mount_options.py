"""The options that say what is mounted: in the words that people know, one mount each."""

from __future__ import annotations

import csv
import os
from typing import TYPE_CHECKING, Any, Final

import click

from moorage.cli.parameters import size

if TYPE_CHECKING:
    from moorage.v1.container_pb2 import Mount

MOUNT_OPTIONS: Final = (
    click.option(
        "--volume",
        "-v",
        "volumes",
        multiple=True,
        metavar="[SOURCE:]PATH[:OPTIONS]",
        help="Mount a volume by name, or a directory of the host's, which is made if it is"
        " missing. Options: ro, nocopy, private, slave, shared. Repeatable.",
    ),
    click.option(
        "--mount",
        "mounts",
        multiple=True,
        metavar="type=bind|volume|tmpfs,source=SOURCE,destination=PATH,...",
        help="The same in full: readonly, bind-propagation=, bind-nonrecursive,"
        " bind-create-source, volume-nocopy, volume-label=, tmpfs-size=, tmpfs-mode=, tmpfs-exec.",
    ),
    click.option(
        "--tmpfs",
        multiple=True,
        metavar="PATH[:OPTIONS]",
        help="Mount memory. Options: size=64m, mode=1777, exec, ro. Repeatable.",
    ),
)
_NAMES: Final = {"src": "source", "dst": "destination", "target": "destination", "ro": "readonly"}
_PROPAGATIONS: Final = ("private", "slave", "shared")
_FLAGS: Final = frozenset(
    {"readonly", "bind-nonrecursive", "bind-create-source", "volume-nocopy", "tmpfs-exec"}
)
_TYPES: Final = ("bind", "volume", "tmpfs")


def mounts_of(options: dict[str, Any]) -> list[Mount]:
    """Take the options of this module out of ``options``, and return the mounts they say."""
    return [
        *map(_short, options.pop("volumes", ())),
        *map(_long, options.pop("mounts", ())),
        *map(_memory, options.pop("tmpfs", ())),
    ]


def _short(text: str) -> Mount:
    from moorage.v1.container_pb2 import Mount

    parts = text.split(":")
    if len(parts) > 3 or not all(parts):
        raise _misuse("--volume", f"{text!r} is not [SOURCE:]PATH[:OPTIONS]")
    source = parts[0] if len(parts) > 1 else ""
    mount = Mount(type="MOUNT_TYPE_VOLUME", source=source, destination=parts[1 if source else 0])
    if source.startswith(("/", ".")):
        mount.type, mount.source = Mount(type="MOUNT_TYPE_BIND").type, os.path.abspath(source)
        mount.bind.create_source = True
    for word in parts[2].split(",") if len(parts) == 3 else ():
        _apply_word(mount, word, text)
    return mount


def _apply_word(mount: Mount, word: str, text: str) -> None:
    from moorage.v1.container_pb2 import Mount as Kind

    bound = mount.type == Kind(type="MOUNT_TYPE_BIND").type
    if word in ("ro", "readonly"):
        mount.read_only = True
    elif word == "nocopy" and not bound:
        mount.volume.no_copy = True
    elif word.removeprefix("r") in _PROPAGATIONS and bound:
        mount.bind.MergeFrom(_propagation(word))
    elif word != "rw":
        raise _misuse("--volume", f"{word!r} in {text!r} is no option of such a mount")


def _long(text: str) -> Mount:
    from moorage.v1.container_pb2 import Mount

    pairs = [_pair(field, text) for field in next(csv.reader([text]), ())]
    kinds = [value for key, value in pairs if key == "type"] or ["volume"]
    if len(kinds) > 1 or kinds[0] not in _TYPES:
        raise _misuse("--mount", f"{text!r} needs one type: {', '.join(_TYPES)}")
    mount = Mount(type=f"MOUNT_TYPE_{kinds[0].upper()}")
    for key, value in pairs:
        if key != "type":
            _apply(mount, key, value, text)
    return mount


def _pair(field: str, text: str) -> tuple[str, str]:
    key, equals, value = field.partition("=")
    key = _NAMES.get(key, key)
    if key in _FLAGS and (not equals or value in ("true", "1")):
        return key, ""
    if key in _FLAGS or not equals:
        raise _misuse("--mount", f"{field!r} in {text!r} is not KEY=VALUE")
    return key, value


def _apply(mount: Mount, key: str, value: str, text: str) -> None:
    """Set one key; what does not go with the type is the server's to refuse, by its field."""
    match key:
        case "source" | "destination":
            setattr(mount, key, value)
        case "readonly":
            mount.read_only = True
        case "bind-propagation":
            mount.bind.MergeFrom(_propagation(value))
        case "bind-nonrecursive":
            mount.bind.non_recursive = True
        case "bind-create-source":
            mount.bind.create_source = True
        case "volume-nocopy":
            mount.volume.no_copy = True
        case "volume-label":
            label, _, said = value.partition("=")
            mount.volume.labels[label] = said
        case "tmpfs-size":
            mount.tmpfs.size = size(value)
        case "tmpfs-mode":
            mount.tmpfs.mode = _mode(value, "--mount")
        case "tmpfs-exec":
            mount.tmpfs.exec = True
        case _:
            raise _misuse("--mount", f"{key!r} in {text!r} is not known")


def _memory(text: str) -> Mount:
    from moorage.v1.container_pb2 import Mount

    path, _, words = text.partition(":")
    mount = Mount(type="MOUNT_TYPE_TMPFS", destination=path)
    for word in filter(None, words.split(",")):
        key, _, value = word.partition("=")
        if key == "size":
            mount.tmpfs.size = size(value)
        elif key == "mode":
            mount.tmpfs.mode = _mode(value, "--tmpfs")
        elif word == "exec":
            mount.tmpfs.exec = True
        elif word == "ro":
            mount.read_only = True
        elif word not in ("rw", "noexec", "nosuid", "nodev"):  # as it is anyway
            raise _misuse("--tmpfs", f"{word!r} in {text!r} is none of size=, mode=, exec, ro")
    return mount


def _propagation(word: str) -> Any:
    from moorage.v1.container_pb2 import BindOptions

    plain = word.removeprefix("r")
    if plain not in _PROPAGATIONS:
        raise _misuse("--mount", f"{word!r} is none of {', '.join(_PROPAGATIONS)}")
    return BindOptions(propagation=f"MOUNT_PROPAGATION_{plain.upper()}")


def _mode(text: str, option: str) -> int:
    if not text or len(text) > 5 or set(text) - set("01234567"):
        raise _misuse(option, f"{text!r} is no mode in octal")
    return int(text, 8)


def _misuse(option: str, why: str) -> click.BadParameter:
    return click.BadParameter(why, param_hint=option)
