"""The Python code of protos/, by the generator that docs/adr/0002 pins.

    python -m tools.protos            write it to where it is committed
    python -m tools.protos --check    write nothing, and fail if anything differs

A proto's path is its import path: protos/moorage/v1/x.proto becomes
client/moorage/v1/x_pb2.py. The generator has an environment of its own, made when first needed.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY: Final = Path(__file__).parents[1]
ROOTS: Final = {"moorage": "client", "moored": "server"}
"""Where the code of each top directory of protos/ lies."""
_PROTOS: Final = REPOSITORY / "protos"
_ENVIRONMENT: Final = REPOSITORY / ".venv-protos"
_VERSIONS: Final = REPOSITORY / "requirements-protos.lock"
_INSTALL_WITHIN: Final = 300.0
_GENERATE_WITHIN: Final = 60.0
_GENERATED: Final = ("*_pb2.py", "*_pb2.pyi", "*_pb2_grpc.py", "*_pb2_grpc.pyi")


def generate(to: Path) -> None:
    """Write all generated code below ``to``."""
    programs = _environment() / "bin"
    for top, root in ROOTS.items():
        target = to / root
        target.mkdir(exist_ok=True)
        command: list[str | Path] = [
            *(programs / "python", "-m", "grpc_tools.protoc", f"-I{_PROTOS}"),
            f"--plugin=protoc-gen-mypy_grpc={programs / 'protoc-gen-mypy_grpc'}",
            *(f"--{kind}_out={target}" for kind in ("python", "pyi", "grpc_python")),
            f"--mypy_grpc_out=quiet:{target}",
            *sorted((_PROTOS / top).rglob("*.proto")),
        ]
        subprocess.run(command, check=True, timeout=_GENERATE_WITHIN)


def differences(fresh: Path) -> list[str]:
    """Return the committed files that are not, byte by byte, those in ``fresh``."""
    committed, generated = _contents(REPOSITORY), _contents(fresh)
    names = committed.keys() | generated.keys()
    return sorted(name for name in names if committed.get(name) != generated.get(name))


def _contents(tree: Path) -> dict[str, bytes]:
    return {str(path.relative_to(tree)): path.read_bytes() for path in _generated(tree)}


def _generated(tree: Path) -> Iterator[Path]:
    for root in ROOTS.values():
        for pattern in _GENERATED:
            yield from (tree / root).rglob(pattern)


def _environment() -> Path:
    """Return the generator's environment, after making it if it is not the one wanted."""
    stamp = _ENVIRONMENT / ".set-up"
    wanted = f"{_ENVIRONMENT}\n{_VERSIONS.read_text()}"
    if not stamp.exists() or stamp.read_text() != wanted:
        _install("-m", "venv", "--clear", str(_ENVIRONMENT), by=Path(sys.executable))
        pip = ("-m", "pip", "--quiet", "--disable-pip-version-check", "install")
        _install(*pip, "-r", str(_VERSIONS), by=_ENVIRONMENT / "bin" / "python")
        stamp.write_text(wanted)
    return _ENVIRONMENT


def _install(*words: str, by: Path) -> None:
    subprocess.run([by, *words], check=True, timeout=_INSTALL_WITHIN)


def main() -> None:
    parser = argparse.ArgumentParser(description="Generate the Python code of protos/.")
    parser.add_argument("--check", action="store_true", help="fail if anything differs")
    if not parser.parse_args().check:
        for path in _generated(REPOSITORY):
            path.unlink()
        generate(REPOSITORY)
        return
    with tempfile.TemporaryDirectory(prefix="protos.") as fresh:
        generate(Path(fresh))
        if differing := differences(Path(fresh)):
            sys.exit("cannot pass generated code, run `make protos`: " + ", ".join(differing))


if __name__ == "__main__":
    main()
