"""The networks that plugins make, with what calling plugins needs."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from moored.network.cni.attacher import PluginNetworks
from moored.network.cni.attachments import Attachments
from moored.network.cni.catalogue import Catalogue
from moored.network.cni.checks import Checks
from moored.network.cni.pins import Pins
from moored.network.cni.plugins import Plugins
from moored.network.cni.records import Records
from moored.network.cni.upkeep import Upkeep

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.trace import Tracer

    from moored.config import Settings

_SHARE: Final = 0.8
"""How much of a step's time its plugins may take: they have more to say than the step's end."""
_AT_ONCE: Final = 32
"""Plugins that run at a time, each in a thread that waits for it."""


@contextmanager
def plugin_networks(settings: Settings, tracer: Tracer) -> Iterator[PluginNetworks]:
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="cni") as executor:
        records = Records(settings.cni_cache_dir)
        plugins = Plugins(settings.cni_bin_dir, executor, os.environ)
        attachments = Attachments(
            records=records,
            pins=Pins(settings.state / "cni"),
            plugins=plugins,
            tracer=tracer,
            add_limit=_SHARE * settings.step_timeout,
            delete_limit=_SHARE * settings.undo_timeout,
        )
        upkeep = Upkeep(records=records, plugins=plugins, limit=_SHARE * settings.undo_timeout)
        yield PluginNetworks(
            catalogue=Catalogue(settings.cni_config_dir),
            attachments=attachments,
            checks=Checks(attachments.check),
            upkeep=upkeep,
        )
