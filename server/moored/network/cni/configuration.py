"""A network as its configuration file describes it: a list of plugins, and how they are called.

Reads both forms of file, ``.conflist`` and the older ``.conf`` of a single plugin. What a plugin
is told beyond the fields named here is its own business, and reaches it unchanged.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from moored.network.cni import versions

if TYPE_CHECKING:
    from collections.abc import Mapping

LARGEST_FILE: Final = 2**20
"""Bytes."""
RESERVED: Final = frozenset({"bridge", "host", "none"})
"""Names that mean something else wherever a network is named."""
_NAME: Final = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}")
_TYPE: Final = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.+-]{0,127}")


class ConfigurationFault(Exception):
    """Why a file describes no network that can be used here."""


@dataclass(frozen=True)
class Plugin:
    type: str
    settings: Mapping[str, Any]
    capabilities: frozenset[str]
    """What it wants to be told of each container, where somebody asks for it."""


@dataclass(frozen=True)
class NetworkList:
    """``offered`` are the versions that the file offers, of those known here; mostly one."""

    name: str
    offered: tuple[str, ...]
    plugins: tuple[Plugin, ...]
    disable_check: bool = False
    disable_gc: bool = False

    @property
    def capabilities(self) -> frozenset[str]:
        return frozenset[str]().union(*(plugin.capabilities for plugin in self.plugins))

    def document(self) -> dict[str, Any]:
        """Return what ``parse`` makes the same network of."""
        return {
            "name": self.name,
            "cniVersion": self.offered[-1],
            "cniVersions": list(self.offered),
            "disableCheck": self.disable_check,
            "disableGC": self.disable_gc,
            "plugins": [dict(plugin.settings) for plugin in self.plugins],
        }


def parse(text: bytes) -> NetworkList:
    """Return the network that a file describes, or raise ConfigurationFault."""
    if len(text) > LARGEST_FILE:
        raise ConfigurationFault(f"is larger than {LARGEST_FILE} bytes")
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigurationFault(f"is not JSON: {error}") from error
    return from_document(document)


def from_document(document: object) -> NetworkList:
    found = _object(document, "the file")
    single = "plugins" not in found
    plugins = [found] if single else found["plugins"]
    if not isinstance(plugins, list) or not plugins:
        raise ConfigurationFault('has no "plugins"')
    return NetworkList(
        name=_name(found.get("name")),
        offered=_offered(found),
        plugins=tuple(_plugin(plugin, number) for number, plugin in enumerate(plugins)),
        disable_check=False if single else _flag(found, "disableCheck"),
        disable_gc=False if single else _flag(found, "disableGC"),
    )


def _name(name: object) -> str:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ConfigurationFault(
            'needs a "name": a letter or digit, then up to 127 letters, digits, "_", "." or "-"'
        )
    if name in RESERVED:
        raise ConfigurationFault(f"cannot be named {name!r}, which means something else here")
    return name


def _offered(found: Mapping[str, Any]) -> tuple[str, ...]:
    several = found.get("cniVersions", [])
    one = found.get("cniVersion")
    if not isinstance(several, list) or not all(isinstance(v, str) for v in several):
        raise ConfigurationFault('must have a list of versions as its "cniVersions"')
    if one is not None and not isinstance(one, str):
        raise ConfigurationFault('must have a version as its "cniVersion"')
    written = [*several, one] if one else several
    known = tuple(version for version in versions.KNOWN if version in written)
    if not known:
        asked = ", ".join(dict.fromkeys(written)) or "none"
        served = ", ".join(versions.KNOWN)
        raise ConfigurationFault(f"is of CNI version {asked}; here are {served}")
    return known


def _plugin(plugin: object, number: int) -> Plugin:
    settings = _object(plugin, f"plugins[{number}]")
    kind = settings.get("type")
    if not isinstance(kind, str) or not _TYPE.fullmatch(kind):
        raise ConfigurationFault(f'needs the name of a program as "type" of plugins[{number}]')
    declared = _object(settings.get("capabilities", {}), f"capabilities of plugins[{number}]")
    if not all(isinstance(wanted, bool) for wanted in declared.values()):
        raise ConfigurationFault(f"must say true or false for capabilities of plugins[{number}]")
    return Plugin(kind, settings, frozenset(key for key, wanted in declared.items() if wanted))


def _flag(found: Mapping[str, Any], key: str) -> bool:
    given = found.get(key, False)
    # Some write the text, and the usual library takes it.
    meaning = {"true": True, "false": False}.get(given, given) if isinstance(given, str) else given
    if not isinstance(meaning, bool):
        raise ConfigurationFault(f'must say true or false as its "{key}"')
    return meaning


def _object(value: object, what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ConfigurationFault(f"has no JSON object as {what}")
    return value
