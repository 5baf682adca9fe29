"""The policy in force, and its other edition once the file has one: nobody reads half of each."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from loguru import logger

from moored import policy_file
from moored.errors import SetupRefused
from moored.model.policy import LOCAL, Policy

if TYPE_CHECKING:
    from pathlib import Path

    from moored.model.policy import Allowance


class PolicyBook:
    def __init__(self, path: Path | None = None, *, host_network: bool = False) -> None:
        """Read the policy, or refuse with one line. ``host_network`` allows it to ``local``."""
        self._path = path
        self._host_network = host_network
        self.policy = self._read()
        self.reloads = 0
        self.failures = 0

    def reload(self) -> bool:
        """Read the file again; one that is broken changes nothing. Returns whether it was good."""
        try:
            self.policy = self._read()
        except SetupRefused as refusal:
            self.failures += 1
            logger.error("the policy in force stays: {}", refusal.message)
            return False
        self.reloads += 1
        logger.info("the policy was read again")
        return True

    def allowed(self, role: str) -> Allowance:
        """Return what specs of ``role`` may ask for, by the policy as it is now."""
        return self.policy.of(role)

    def _read(self) -> Policy:
        policy = policy_file.read(self._path) if self._path else Policy()
        if not self._host_network:
            return policy
        local = replace(policy.of(LOCAL), host_network=True)
        return replace(policy, roles={**policy.roles, LOCAL: local})
