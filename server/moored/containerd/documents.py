"""The JSON of images: indexes, manifests, configurations. Checked when read, ignored beyond.

The same shapes serve archives, which are hostile, and the content store, which may hold what
other programs put there.
"""

from __future__ import annotations

from typing import Annotated, Final, TypeVar

from pydantic import BaseModel, BeforeValidator, Field, RootModel, ValidationError

INDEX_TYPES: Final = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
OCI_MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
DOCKER_MANIFEST: Final = "application/vnd.docker.distribution.manifest.v2+json"
MANIFEST_TYPES: Final = (OCI_MANIFEST, DOCKER_MANIFEST)
DOCKER_CONFIG: Final = "application/vnd.docker.container.image.v1+json"
CONFIG_TYPES: Final = ("application/vnd.oci.image.config.v1+json", DOCKER_CONFIG)
DOCKER_LAYER: Final = "application/vnd.docker.image.rootfs.diff.tar"
_OCI_LAYERS: Final = "application/vnd.oci.image.layer."
LAYER_TYPES: Final = (
    *(f"{_OCI_LAYERS}v1.tar{suffix}" for suffix in ("", "+gzip", "+zstd")),
    *(f"{_OCI_LAYERS}nondistributable.v1.tar{suffix}" for suffix in ("", "+gzip", "+zstd")),
    DOCKER_LAYER,
    f"{DOCKER_LAYER}.gzip",
    "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
)
"""What containerd unpacks in every version that is served."""


class Malformed(ValueError):
    """A document that is not what it should be, and why."""


Digest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]


def _nothing_is_empty(value: object) -> object:
    """Programs in Go write an empty list or map as null."""
    return () if value is None else value


def _one_is_a_list(value: object) -> object:
    """Old configurations have a command of one word as text."""
    return (value,) if isinstance(value, str) else _nothing_is_empty(value)


def _no_text(value: object) -> object:
    return "" if value is None else value


Text = Annotated[str, BeforeValidator(_no_text)]
Texts = Annotated[tuple[str, ...], BeforeValidator(_nothing_is_empty)]
Words = Annotated[tuple[str, ...], BeforeValidator(_one_is_a_list)]
Pairs = Annotated[dict[str, str], BeforeValidator(lambda value: {} if value is None else value)]


Keys = Annotated[
    tuple[str, ...],
    BeforeValidator(lambda value: tuple(value) if isinstance(value, dict) else value or ()),
]
"""The keys of an object whose values say nothing."""


class PlatformDocument(BaseModel):
    os: Text = ""
    architecture: Text = ""
    variant: Text = ""


class Descriptor(BaseModel):
    media_type: Text = Field("", alias="mediaType")
    digest: Digest
    size: int = Field(ge=0)
    annotations: Pairs = {}
    platform: PlatformDocument | None = None


class Index(BaseModel):
    manifests: tuple[Descriptor, ...]


class Manifest(BaseModel):
    config: Descriptor
    layers: tuple[Descriptor, ...]


class RootFilesystem(BaseModel):
    diff_ids: Annotated[tuple[Digest, ...], BeforeValidator(_nothing_is_empty)]


def _nanoseconds(value: object) -> object:
    """Configurations have 0 for what is not said; a negative time is none either."""
    return value if isinstance(value, int) and value > 0 else 0


Nanoseconds = Annotated[int, BeforeValidator(_nanoseconds)]


class HealthSettings(BaseModel):
    """HEALTHCHECK: docker's, and no part of OCI's specification."""

    test: Texts = Field((), alias="Test")
    interval: Nanoseconds = Field(0, alias="Interval")
    timeout: Nanoseconds = Field(0, alias="Timeout")
    start_period: Nanoseconds = Field(0, alias="StartPeriod")
    start_interval: Nanoseconds = Field(0, alias="StartInterval")
    retries: Nanoseconds = Field(0, alias="Retries")


class RunSettings(BaseModel):
    entrypoint: Words = Field((), alias="Entrypoint")
    args: Words = Field((), alias="Cmd")
    env: Texts = Field((), alias="Env")
    working_dir: Text = Field("", alias="WorkingDir")
    user: Text = Field("", alias="User")
    stop_signal: Text = Field("", alias="StopSignal")
    volumes: Keys = Field((), alias="Volumes")
    health: HealthSettings | None = Field(None, alias="Healthcheck")


class Configuration(BaseModel):
    os: Text = ""
    architecture: Text = ""
    variant: Text = ""
    rootfs: RootFilesystem
    config: Annotated[RunSettings, BeforeValidator(lambda value: value or {})] = Field(
        default_factory=lambda: RunSettings.model_validate({})
    )


class DockerEntry(BaseModel):
    """One image in the ``manifest.json`` of a docker archive."""

    config: str = Field(alias="Config")
    tags: Texts = Field((), alias="RepoTags")
    layers: Texts = Field(alias="Layers")


class DockerArchive(RootModel[tuple[DockerEntry, ...]]):
    """The whole ``manifest.json``."""


Document = TypeVar("Document", bound=BaseModel)


def parse(kind: type[Document], written: bytes, called: str) -> Document:
    """Return the document ``called`` so, or tell the first thing that is wrong with it."""
    try:
        return kind.model_validate_json(written)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        at = f" at {where[:200]}" if where else ""
        raise Malformed(f"{called} is not as it should be{at}: {first['msg'][:300]}") from error
