"""docs/api.md, out of the protos and their comments.

    python -m tools.api            write it to where it is committed
    python -m tools.api --check    write nothing, and fail if anything differs

buf reads the protos; what is written follows their order. Comments are kept word for word, but
that tables of errors become tables.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
    ServiceDescriptorProto,
)

from tools.api_comments import cell, prose

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_ROOT: Final = Path(__file__).parents[1]
PAGE: Final = _ROOT / "docs" / "api.md"
_PACKAGE: Final = ".moorage.v1."
_BUILD_WITHIN: Final = 60.0
_HEAD: Final = """\
# The API, message by message

Made of the comments in `protos/moorage/v1` by `make protos`. How to call it from a language:
[languages.md](languages.md). What each verb answers in each state: [states.md](states.md).
"""
# Where a file's own parts are in the paths of its source information.
_MESSAGE, _ENUM, _SERVICE = (
    FileDescriptorProto.MESSAGE_TYPE_FIELD_NUMBER,
    FileDescriptorProto.ENUM_TYPE_FIELD_NUMBER,
    FileDescriptorProto.SERVICE_FIELD_NUMBER,
)
_SCALARS: Final = {
    number: name.removeprefix("TYPE_").lower() for name, number in FieldDescriptorProto.Type.items()
}

Place: TypeAlias = tuple[int, ...]


@dataclass(frozen=True)
class Comments:
    """What is said of each part of one file."""

    said: Mapping[Place, str]

    def of(self, *path: int) -> str:
        return self.said.get(path, "")


def page() -> str:
    """Return the whole page."""
    files = [file for file in _files() if file.package == "moorage.v1"]
    services = [file for file in files if file.service]
    others = [file for file in files if not file.service]
    parts = [line for file in (*services, *others) for line in _file(file)]
    return "\n".join([_HEAD, *_contents((*services, *others)), *parts]).rstrip() + "\n"


def _files() -> Iterable[FileDescriptorProto]:
    built = subprocess.run(
        [Path(sys.executable).parent / "buf", "build", "protos", "-o", "-#format=binpb"],
        cwd=_ROOT, check=True, capture_output=True, timeout=_BUILD_WITHIN,
    )  # fmt: skip
    return FileDescriptorSet.FromString(built.stdout).file


def _contents(files: Iterable[FileDescriptorProto]) -> Iterator[str]:
    for file in files:
        for service in file.service:
            methods = ", ".join(
                _link(f"{service.name}.{it.name}", it.name) for it in service.method
            )
            yield f"- {_link(service.name)}: {methods}"
    yield ""


def _file(file: FileDescriptorProto) -> Iterator[str]:
    comments = Comments(
        {tuple(it.path): it.leading_comments for it in file.source_code_info.location}
    )
    for number, service in enumerate(file.service):
        yield from _service(service, comments, (_SERVICE, number))
    yield f"## {file.name.rpartition('/')[2]}\n"
    for number, message in enumerate(file.message_type):
        yield from _message(message, message.name, comments, (_MESSAGE, number))
    for number, enum in enumerate(file.enum_type):
        yield from _enum(enum, enum.name, comments, (_ENUM, number))


def _service(service: ServiceDescriptorProto, comments: Comments, path: Place) -> Iterator[str]:
    yield f"## {service.name}\n"
    yield from prose(comments.of(*path))
    for number, method in enumerate(service.method):
        yield f"### {service.name}.{method.name}\n"
        asked = ("stream " if method.client_streaming else "") + _typed(method.input_type)
        told = ("stream " if method.server_streaming else "") + _typed(method.output_type)
        yield f"{asked} → {told}\n"
        yield from prose(comments.of(*path, ServiceDescriptorProto.METHOD_FIELD_NUMBER, number))


def _message(message: DescriptorProto, name: str, comments: Comments, path: Place) -> Iterator[str]:
    yield f"### {name}\n"
    yield from prose(comments.of(*path))
    if message.field:
        yield "| field | type | |"
        yield "|---|---|---|"
        entries = {it.name: it for it in message.nested_type if it.options.map_entry}
        for number, field in enumerate(message.field):
            said = comments.of(*path, DescriptorProto.FIELD_FIELD_NUMBER, number)
            yield f"| `{field.name}` | {_field(field, message, entries)} | {cell(said)} |"
        yield ""
    for number, nested in enumerate(message.nested_type):
        if not nested.options.map_entry:
            within = (*path, DescriptorProto.NESTED_TYPE_FIELD_NUMBER, number)
            yield from _message(nested, f"{name}.{nested.name}", comments, within)


def _field(
    field: FieldDescriptorProto, message: DescriptorProto, entries: Mapping[str, DescriptorProto]
) -> str:
    entry = entries.get(field.type_name.rpartition(".")[2])
    if entry is not None:
        key, value = entry.field
        return f"map of {_kind(key)} to {_kind(value)}"
    if field.label == FieldDescriptorProto.LABEL_REPEATED:
        return f"repeated {_kind(field)}"
    if field.proto3_optional:
        return f"optional {_kind(field)}"
    if field.HasField("oneof_index"):
        return f"{_kind(field)}, one of `{message.oneof_decl[field.oneof_index].name}`"
    return _kind(field)


def _kind(field: FieldDescriptorProto) -> str:
    return _typed(field.type_name) if field.type_name else _SCALARS[field.type]


def _typed(name: str) -> str:
    if name.startswith(_PACKAGE):
        return _link(name.removeprefix(_PACKAGE))
    return f"`{name.rpartition('.')[2]}`"


def _enum(enum: EnumDescriptorProto, name: str, comments: Comments, path: Place) -> Iterator[str]:
    yield f"### {name}\n"
    yield from prose(comments.of(*path))
    yield "| value | | |"
    yield "|---|---|---|"
    for number, value in enumerate(enum.value):
        said = comments.of(*path, EnumDescriptorProto.VALUE_FIELD_NUMBER, number)
        yield f"| `{value.name}` | {value.number} | {cell(said)} |"
    yield ""


def _link(name: str, text: str = "") -> str:
    """Return a link to the heading of ``name``, as pages of Markdown name their headings."""
    return f"[{text or name}](#{name.lower().replace('.', '')})"


def main() -> int | str:
    parser = argparse.ArgumentParser(prog="python -m tools.api")
    parser.add_argument("--check", action="store_true")
    written = page()
    if not parser.parse_args().check:
        PAGE.write_text(written)
        return 0
    return (
        0
        if PAGE.read_text() == written
        else "docs/api.md is not of these protos: run `make protos`"
    )


if __name__ == "__main__":
    sys.exit(main())
