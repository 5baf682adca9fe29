"""One invocation of the command: where it calls, how it answers. Loads gRPC when it calls."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

import click

from moorage.addresses import DEFAULT_ADDRESS
from moorage.cli import codes, texts
from moorage.errors import MoorageError
from moorage.tls import Tls

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterable

    from google.protobuf.message import Message

    from moorage.client import Client

Answer = TypeVar("Answer")
Reply = TypeVar("Reply", bound="Message")


@dataclass
class Invocation:
    address: str = DEFAULT_ADDRESS
    timeout: float | None = None
    json: bool = False
    tls: Tls = field(default_factory=Tls)

    def run(self, work: Callable[[Client], Coroutine[None, None, Answer]]) -> Answer:
        """Do ``work`` with a client, on an event loop of its own."""
        import asyncio

        from moorage.client import Client

        async def connected() -> Answer:
            async with Client(self.address, timeout=self.timeout, tls=self.tls) as client:
                return await work(client)

        return asyncio.run(connected())

    def answer(self, reply: Reply, view: Callable[[Reply], str]) -> None:
        """Print ``reply``, to programs or to people, who get its warnings on stderr."""
        if not self.json:
            warn(reply)
        click.echo(as_json(reply) if self.json else view(reply))

    def report(self, error: MoorageError) -> int:
        """Say on stderr what went wrong, and return the exit code that it means."""
        if self.json:
            click.echo(texts.as_json(error), err=True)
        else:
            complain(texts.line(error))
        return codes.of(error)

    def for_each(
        self,
        containers: Iterable[str],
        ask: Callable[[Client, str], Awaitable[Reply]],
        view: Callable[[Reply], str],
        judge: Callable[[Reply], int] = lambda _: 0,
    ) -> int:
        """Ask for all at once and answer one by one; return the first failure's exit code."""
        import asyncio

        async def attempt(client: Client, container: str) -> Reply | MoorageError:
            try:
                return await ask(client, container)
            except MoorageError as error:
                return error

        async def all_of_them(client: Client) -> list[Reply | MoorageError]:
            return await asyncio.gather(*(attempt(client, c) for c in containers))

        code = 0
        for outcome in self.run(all_of_them):
            if isinstance(outcome, MoorageError):
                found = self.report(outcome)
            else:
                self.answer(outcome, view)
                found = judge(outcome)
            code = code or found
        return code


def complain(line: str) -> None:
    click.echo(f"moorage: {line}", err=True)


def warn(reply: Message) -> None:
    """Say what the server warns of, if ``reply`` is of the kind that can."""
    for warning in getattr(reply, "warnings", ()):
        complain(f"warning: {warning}")


def as_json(message: Message, *, indent: int | None = 2) -> str:
    """Return a message as proto3 JSON."""
    from google.protobuf import json_format

    return json_format.MessageToJson(message, indent=indent, ensure_ascii=False)
