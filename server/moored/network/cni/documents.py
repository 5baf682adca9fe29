"""What a plugin reads from its standard input: its part of the configuration, made out for one
container."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from moored.network.cni.configuration import Plugin
    from moored.network.cni.records import AttachmentId, Record


def for_attachment(plugin: Plugin, record: Record, previous: Mapping[str, Any] | None) -> bytes:
    """Return the document of ADD, CHECK and DEL: with what the plugin may know of the wish."""
    wanted = {k: v for k, v in record.capabilities.items() if k in plugin.capabilities}
    return _document(
        plugin,
        name=record.network.name,
        version=record.version,
        more={"runtimeConfig": wanted, "prevResult": previous},
    )


def for_network(plugin: Plugin, *, name: str, version: str) -> bytes:
    """Return the document of STATUS."""
    return _document(plugin, name=name, version=version, more={})


def for_collection(
    plugin: Plugin, *, name: str, version: str, valid: Sequence[AttachmentId]
) -> bytes:
    """Return the document of GC: ``valid`` are the attachments that are to stay."""
    known = [{"containerID": id_.run, "ifname": id_.interface} for id_ in valid]
    document = {"cni.dev/valid-attachments": known}
    return json.dumps({**_base(plugin, name, version), **document}).encode()


def _document(plugin: Plugin, *, name: str, version: str, more: Mapping[str, Any]) -> bytes:
    given = {key: value for key, value in more.items() if value}
    return json.dumps({**_base(plugin, name, version), **given}).encode()


def _base(plugin: Plugin, name: str, version: str) -> dict[str, Any]:
    # The list's own keys come in where a file holds a single plugin.
    ours = {"capabilities", "cniVersions", "disableCheck", "disableGC", "prevResult"}
    own = {key: value for key, value in plugin.settings.items() if key not in ours}
    return {**own, "name": name, "cniVersion": version}
