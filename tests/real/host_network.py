"""A network namespace that a moored takes for its host's.

What plugins leave by design, their bridges and their shared chains, ends with it; and nothing
that another suite does on this machine meets it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_ANSWER_WITHIN: Final = 20.0
_FETCH: Final = """
import sys, urllib.request
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
print(opener.open(sys.argv[1], timeout=5).read().decode(), end="")
"""


@dataclass(frozen=True)
class HostNetwork:
    """``directory`` is for configuration, and for what plugins keep of addresses."""

    name: str
    directory: Path

    @classmethod
    def make(cls, name: str, directory: Path) -> HostNetwork:
        made = cls(name, directory)
        made.configuration.mkdir(parents=True)
        _run("ip", "netns", "add", name)
        made.run("ip", "link", "set", "lo", "up")
        return made

    @property
    def path(self) -> str:
        return f"/run/netns/{self.name}"

    @property
    def configuration(self) -> Path:
        return self.directory / "net.d"

    @property
    def addresses(self) -> Path:
        """Where host-local keeps what it has given out."""
        return self.directory / "ipam"

    def remove(self) -> None:
        _run("ip", "netns", "delete", self.name)

    def run(self, *words: str) -> str:
        """Return what a command prints that runs in this network."""
        return _run("nsenter", f"--net={self.path}", *words)

    def fetch(self, url: str) -> str:
        """Return what an HTTP server answers."""
        return self.run(sys.executable, "-c", _FETCH, url)

    def network(self, document: Mapping[str, Any]) -> Path:
        """Configure a network, and return its file."""
        file = self.configuration / f"{document['name']}.conflist"
        file.write_text(json.dumps(document))
        return file

    def links(self) -> set[str]:
        lines = self.run("ip", "-o", "link").splitlines()
        return {line.split(": ")[1].partition("@")[0] for line in lines}

    def rules(self, *about: str) -> list[str]:
        """Return each rule of iptables that mentions one of ``about``."""
        saved = self.run("iptables-save") + self.run("ip6tables-save")
        lines = [line for line in saved.splitlines() if line.startswith(("-A", ":"))]
        return [line for line in lines if any(text in line for text in about)]

    def given_out(self) -> list[str]:
        """Return the addresses that host-local holds for somebody."""
        return sorted(
            file.name
            for file in self.addresses.glob("*/*")
            if file.name != "lock" and not file.name.startswith("last_reserved_ip")
        )


def _run(*words: str) -> str:
    done = subprocess.run(words, capture_output=True, text=True, timeout=_ANSWER_WITHIN, check=True)
    return done.stdout
