"""``images``: what containers can be started from."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from moorage.cli.parameters import image_argument, json_option

if TYPE_CHECKING:
    from collections.abc import Iterator

    from moorage.cli.invocation import Invocation
    from moorage.client import Client
    from moorage.v1.image_service_pb2 import ImportResponse


@click.group()
def images() -> None:
    """The images that containers can be started from."""


@images.command("import")
@click.option("--name", default="", help="Name the image, or rename it.")
@click.argument("archive", metavar="FILE|-", type=click.Path(exists=True, allow_dash=True))
@json_option
@click.pass_obj
def import_archive(invocation: Invocation, /, archive: str, name: str) -> None:
    """Import a docker archive or an OCI layout: a tar file, gzip or not."""
    with _opened(archive) as descriptor:
        reply = invocation.run(lambda client: _import(client, descriptor, name))
    invocation.answer(reply, lambda imported: "\n".join(image.name for image in imported.images))


@contextmanager
def _opened(archive: str) -> Iterator[int]:
    if archive == "-":
        if sys.stdin.isatty():
            raise click.UsageError("cannot read an archive from a terminal")
        yield sys.stdin.fileno()
        return
    if os.path.isdir(archive):
        raise click.UsageError(f"cannot import {archive!r}: it is a directory, not a tar file")
    descriptor = os.open(archive, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


async def _import(client: Client, descriptor: int, name: str) -> ImportResponse:
    from moorage.cli.outlets import inlet
    from moorage.cli.progress import Progress

    with Progress(os.fstat(descriptor).st_size) as progress:
        pieces = inlet(descriptor, progress.add)
        return await client.import_image(pieces, name=name)


@images.command("ls")
@click.option("--quiet", "-q", is_flag=True, help="Names only.")
@json_option
@click.pass_obj
def list_images(invocation: Invocation, /, quiet: bool) -> None:
    """List the images by name."""
    reply = invocation.run(lambda client: client.list_images())

    from moorage.cli import host_views

    if not quiet:
        invocation.answer(reply, lambda listed: host_views.images(listed.images))
    elif invocation.json or reply.images:
        invocation.answer(reply, lambda listed: "\n".join(image.name for image in listed.images))


@images.command("rm")
@image_argument
@json_option
@click.pass_obj
def remove_image(invocation: Invocation, /, image: str) -> None:
    """Forget an image's name; its content goes once nothing else holds it."""
    reply = invocation.run(lambda client: client.remove_image(image))
    invocation.answer(reply, lambda _: image)
