"""What a shell offers for a half-typed name, or nothing after a moment."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, TypeVar

from click.shell_completion import CompletionItem

from moorage.client import Client

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

Answer = TypeVar("Answer")

WITHIN: Final = 1.0


def containers(address: str, incomplete: str) -> list[CompletionItem]:
    listed = _ask(address, lambda client: client.list(page_size=1000)).containers
    found = [(c.name or c.id[:12], c.spec.image) for c in listed]
    found += [(c.id[:12], c.spec.image) for c in listed if incomplete and c.name]
    return [
        CompletionItem(name, help=about) for name, about in found if name.startswith(incomplete)
    ]


def images(address: str, incomplete: str) -> list[CompletionItem]:
    listed = _ask(address, lambda client: client.list_images()).images
    names = {name for image in listed for name in (image.name, familiar(image.name))}
    return [CompletionItem(name) for name in sorted(names) if name.startswith(incomplete)]


def volumes(address: str, incomplete: str) -> list[CompletionItem]:
    listed = _ask(address, lambda client: client.list_volumes(page_size=1000)).volumes
    return [CompletionItem(one.name) for one in listed if one.name.startswith(incomplete)]


def familiar(name: str) -> str:
    """Return what people call an image: ``busybox`` for ``docker.io/library/busybox:latest``."""
    short = name.removeprefix("docker.io/").removeprefix("library/")
    return short.removesuffix(":latest")


def _ask(address: str, question: Callable[[Client], Awaitable[Answer]]) -> Answer:
    async def asked() -> Answer:
        async with Client(address, timeout=WITHIN) as client:
            return await question(client)

    return asyncio.run(asked())
