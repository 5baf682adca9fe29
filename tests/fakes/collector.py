"""What containerd's collector would take: all that no image, container, lease or label holds.

It runs when a test says so, or after each call if the fake is told to be greedy.
"""

from __future__ import annotations

import shutil
from datetime import datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.fakes.store import Lease, Namespace, Store

_ROOT: Final = "containerd.io/gc.root"
_EXPIRY: Final = "containerd.io/gc.expire"
_CONTENT: Final = "containerd.io/gc.ref.content"
_LAYER: Final = "containerd.io/gc.ref.snapshot.overlayfs"


def unheld(namespace: Namespace) -> tuple[frozenset[str], frozenset[str]]:
    """Return the layers and the blobs of a namespace that nothing holds."""
    seen: set[tuple[str, str]] = set()
    front = list(_roots(namespace))
    while front:
        node = front.pop()
        if node not in seen:
            seen.add(node)
            front.extend(_references(namespace, *node))
    held = {kind: {key for what, key in seen if what == kind} for kind in ("layer", "blob")}
    return (
        frozenset(namespace.layers.keys() - held["layer"]),
        frozenset(namespace.blobs.keys() - held["blob"]),
    )


def collect(store: Store) -> None:
    for namespace in store.namespaces.values():
        for name in [name for name, held in namespace.leases.items() if _expired(store, held)]:
            del namespace.leases[name]
            store.tell(f"*lease {name}")
        layers, blobs = unheld(namespace)
        for key in sorted(layers):
            shutil.rmtree(namespace.layers.pop(key).place)
            store.tell(f"*snapshot {key}")
        for digest in sorted(blobs):
            del namespace.blobs[digest]
            store.tell(f"*blob {digest}")


def _expired(store: Store, held: Lease) -> bool:
    expiry = held.lease.labels.get(_EXPIRY, "")
    return bool(expiry) and datetime.fromisoformat(expiry) < store.now()


def _roots(namespace: Namespace) -> Iterator[tuple[str, str]]:
    for image in namespace.images.values():
        yield "blob", image.target.digest
        yield from _labelled(image.labels)
    for container in namespace.containers.values():
        yield "layer", container.snapshot_key
        yield from _labelled(container.labels)
    for lease in namespace.leases.values():
        yield from (("layer", key) for key in lease.layers)
        yield from (("blob", digest) for digest in lease.blobs)
    for key, layer in namespace.layers.items():
        if _ROOT in layer.info.labels:
            yield "layer", key
    for digest, blob in namespace.blobs.items():
        if _ROOT in blob.info.labels:
            yield "blob", digest


def _references(namespace: Namespace, kind: str, key: str) -> Iterator[tuple[str, str]]:
    if kind == "layer" and (layer := namespace.layers.get(key)):
        yield "layer", layer.info.parent
        yield from _labelled(layer.info.labels)
    if kind == "blob" and (blob := namespace.blobs.get(key)):
        yield from _labelled(blob.info.labels)


def _labelled(labels: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for label, value in labels.items():
        if label.startswith(_CONTENT):
            yield "blob", value
        elif label == _LAYER or label.startswith(f"{_LAYER}/"):
            yield "layer", value
