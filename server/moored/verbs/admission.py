"""May this container exist here? What no rule of the model can know: images, policy, host.

Looked at when a container is created, and again at each start, since the host may have
changed in between. Refusing changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

from moored import errors
from moored.containerd.names import complete_name
from moored.errors import Violation
from moored.model import health_rules, mount_rules, policy_rules, rules, users
from moored.oci import confinement, signals
from moored.uninterrupted import in_thread

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

    from moored.containerd.values import Runtime
    from moored.model.policy import Allowance
    from moored.model.spec import Image, Spec
    from moored.oci.host import Host


_REASONS: Final[dict[str, type[errors.FieldsRefused]]] = {
    "host_network": errors.HostNetworkNotAllowed,
}
"""Rules that were refused by a reason of their own before there was a policy."""


class ImageCatalogue(Protocol):
    async def get(self, name: str) -> Image | None: ...


class Networks(Protocol):
    def resolve(self, spec: Spec) -> str: ...
    def unknown(self, spec: Spec) -> Iterable[Violation]: ...
    def violations(self, spec: Spec) -> Iterable[Violation]: ...


@dataclass(frozen=True)
class Runtimes:
    """The runtimes by name; ``faults`` has why some do not work on this host."""

    by_name: Mapping[str, Runtime]
    default: str
    faults: Mapping[str, str]


@dataclass(frozen=True)
class Admission:
    images: ImageCatalogue
    runtimes: Runtimes
    host_problems: Callable[[Spec, Host], Sequence[Violation]]
    """What of a spec this host cannot do as it is now."""
    allowed: Callable[[str], Allowance]
    """What a role may ask for."""
    host: Callable[[], Host]
    joins: Callable[[Spec], object]
    """Refuses what a spec shares with others and cannot."""
    networks: Networks
    check_mounts: Callable[[Spec], Awaitable[None]]
    """Refuses sources on the host that are not allowed, or not there."""

    async def admit(self, spec: Spec) -> tuple[Image, str]:
        """Return the image and the runtime that ``spec`` means, or refuse it."""
        await self.check(spec)
        image = await self.images.get(spec.image)
        if image is None:
            raise errors.ImageNotFound(
                f"cannot create container: no image {spec.image!r} was imported", image=spec.image
            )
        if not spec.user and image.user and (why := users.fault(image.user)):
            raise _not_served("user", f"unset means the image's {image.user!r}, which {why}")
        if found := list(health_rules.without_probe(spec.health_check, image.health_check)):
            raise errors.InvalidField(_first("cannot create container", found), *_within(found))
        if not (spec.command or image.entrypoint or spec.args or image.args):
            found = [Violation("command", f"is required: image {spec.image!r} names none")]
            raise errors.InvalidField(_first("cannot create container", found), *_within(found))
        self._check_image_volumes(image)
        return image, spec.runtime or self.runtimes.default

    async def check(self, spec: Spec) -> None:
        """Refuse what breaks a rule, is not served, or is not possible on this host."""
        found = rules.violations(spec)
        if spec.image:
            complete_name(spec.image, field="spec.image")
        if spec.stop_signal and signals.parse(spec.stop_signal) is None:
            found.append(Violation("stop_signal", "names no signal"))
        found += confinement.faults(spec)
        if found:
            raise errors.InvalidField(_first("cannot create container", found), *_within(found))
        self._check_network(spec)
        # Files of the kernel's may keep whoever reads them waiting.
        host, problems = await in_thread(partial(self._looked, spec))
        self._check_policy(spec, host)
        self.joins(spec)
        self._check_runtime(spec.runtime or self.runtimes.default)
        if problems:
            raise errors.InvalidField(
                _first("cannot run container on this host", problems), *_within(problems)
            )
        await self.check_mounts(spec)

    def _check_image_volumes(self, image: Image) -> None:
        for path in image.volumes:
            if why := mount_rules.destination_fault(path):
                found = [Violation("image", f"wants a volume at {path!r}, which {why}")]
                raise errors.InvalidField(_first("cannot create container", found), *_within(found))

    def _check_network(self, spec: Spec) -> None:
        if found := list(self.networks.unknown(spec)):
            raise errors.NetworkUnknown(_first("cannot create container", found), *_within(found))
        if found := list(self.networks.violations(spec)):
            raise errors.InvalidField(_first("cannot create container", found), *_within(found))

    def _looked(self, spec: Spec) -> tuple[Host, Sequence[Violation]]:
        host = self.host()
        return host, self.host_problems(spec, host)

    def _check_policy(self, spec: Spec, host: Host) -> None:
        allowed = self.allowed(spec.role)
        found = [
            *policy_rules.forbidden(spec, allowed),
            *confinement.forbidden(spec, allowed, host),
        ]
        if not found:
            return
        first = found[0]
        kind = _REASONS.get(first.rule, errors.NotAllowedByPolicy)
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        raise kind(
            f"cannot create container: spec.{first.field}: the server's policy does not allow"
            f" {first.what} (rule {first.rule}){more}",
            *(
                Violation(f"spec.{f.field}", f"{f.what} is not allowed by rule {f.rule}")
                for f in found
            ),
            rule=first.rule,
        )

    def _check_runtime(self, name: str) -> None:
        if name not in self.runtimes.by_name:
            known = ", ".join(self.runtimes.by_name)
            raise _unknown_runtime(f"{name!r} is none of {known}")
        if why := self.runtimes.faults.get(name):
            raise _unknown_runtime(f"{name!r} does not work here: {why}")


def _within(found: Sequence[Violation]) -> list[Violation]:
    return [Violation(f"spec.{violation.field}", violation.why) for violation in found]


def _first(what: str, found: Sequence[Violation]) -> str:
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    return f"{what}: spec.{found[0].field} {found[0].why}{more}"


def _not_served(field: str, why: str) -> errors.NotServed:
    found = [Violation(field, why)]
    return errors.NotServed(_first("cannot create container", found), *_within(found))


def _unknown_runtime(why: str) -> errors.RuntimeUnknown:
    found = [Violation("runtime", why)]
    return errors.RuntimeUnknown(_first("cannot create container", found), *_within(found))
