"""What keeps a container within its walls, and what of that a spec takes down or adds to.

Capabilities, the filter of system calls, AppArmor, what of /proc and /sys is hidden, the
kernel's settings. A privileged container has none of it but its namespaces.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from moored.errors import Violation
from moored.model.policy import Forbidden
from moored.model.security import UNCONFINED
from moored.model.security_rules import LARGEST_PROFILE
from moored.model.sharing import shares
from moored.oci import capabilities, defaults, seccomp, seccomp_profile
from moored.oci.host import PRIVATE_NETWORK_SYSCTLS, Host

if TYPE_CHECKING:
    from collections.abc import Iterator

    from moored.model.policy import Allowance
    from moored.model.spec import Spec
    from moored.oci.defaults import Json

DEFAULT_APPARMOR: Final = "moorage-default"


def faults(spec: Spec) -> Iterator[Violation]:
    """Yield what breaks a rule that only this room knows."""
    profile = spec.seccomp.profile
    if len(profile.encode()) > LARGEST_PROFILE:
        return  # which a rule of the model's has said
    if profile and (why := seccomp_profile.fault(profile)):
        yield Violation("seccomp.profile", why)


def problems(spec: Spec, host: Host) -> Iterator[Violation]:
    """Yield what ``spec`` asks for and this host does not have."""
    for number, name in enumerate(spec.capabilities_add):
        if not capabilities.is_available(name, host.capabilities):
            why = f"{name!r} is not moored's own to give on this host"
            yield Violation(f"capabilities_add[{number}]", why)
    if (spec.seccomp.profile or spec.seccomp.unconfined) and not host.seccomp:
        yield Violation("seccomp", "needs filters, which this kernel does not have")
    if why := _apparmor_fault(spec.apparmor_profile, host):
        yield Violation("apparmor_profile", why)
    for name in spec.sysctls:
        if not host.has_sysctl(name):
            yield Violation(f"sysctls[{name!r}]", "is no setting of this kernel's")


def forbidden(spec: Spec, allowed: Allowance, host: Host) -> Iterator[Forbidden]:
    """Yield a profile of system calls that goes beyond the default and beyond the policy."""
    if spec.seccomp.profile and allowed.seccomp == "default":
        granted = capabilities.of_spec(spec, host.capabilities)
        default = seccomp.allow_list(granted, host.architecture)
        if more := seccomp_profile.excess(_custom(spec, host), default):
            what = f"a profile that allows more than the default one: {more}"
            yield Forbidden("seccomp.profile", "seccomp", what)


def of_process(spec: Spec, uid: int, host: Host) -> Json:
    """Return what the process may do, as parts of ``process``."""
    granted = capabilities.of_spec(spec, host.capabilities)
    shown: Json = {
        "capabilities": capabilities.of_process(uid, granted),
        "noNewPrivileges": spec.no_new_privileges,
    }
    profile = "" if spec.privileged else spec.apparmor_profile or default_apparmor(host)
    if profile and profile != UNCONFINED:
        shown["apparmorProfile"] = profile
    return shown


def default_apparmor(host: Host) -> str:
    """Return the profile that containers get, or an empty text where there is none to get."""
    return DEFAULT_APPARMOR if DEFAULT_APPARMOR in host.apparmor_profiles else ""


def apparmor(host: Host) -> str:
    """Return the same in words: the profile, or that and why there is none."""
    if not host.apparmor:
        return "not available: this kernel has no AppArmor"
    return default_apparmor(host) or f"not available: profile {DEFAULT_APPARMOR!r} is not loaded"


def paths(spec: Spec, host: Host) -> Json:
    """Return maskedPaths and readonlyPaths."""
    asked = spec.system_paths
    bare = asked.unconfined or spec.privileged
    masked = () if bare else (*defaults.MASKED_PATHS, *host.thermal_throttles)
    read_only = () if bare else defaults.READONLY_PATHS
    return {
        "maskedPaths": list(dict.fromkeys((*masked, *asked.masked))),
        "readonlyPaths": list(dict.fromkeys((*read_only, *asked.read_only))),
    }


def filter_of(spec: Spec, host: Host) -> Json | None:
    """Return the filter of system calls, or None for none."""
    if not host.seccomp or spec.privileged or spec.seccomp.unconfined:
        return None
    if spec.seccomp.profile:
        return _custom(spec, host)
    granted = capabilities.of_spec(spec, host.capabilities)
    return seccomp.allow_list(granted, host.architecture)


def sysctls(spec: Spec, host: Host) -> dict[str, str]:
    """Return the settings of namespaces that are the container's own."""
    settings: dict[str, str] = {}
    if not shares(spec.network):
        settings = {name: PRIVATE_NETWORK_SYSCTLS[name] for name in host.sysctls}
    if spec.domain_name and not shares(spec.uts):
        settings["kernel.domainname"] = spec.domain_name
    return dict(sorted({**settings, **spec.sysctls}.items()))


def _custom(spec: Spec, host: Host) -> Json:
    granted = capabilities.of_spec(spec, host.capabilities)
    return seccomp_profile.convert(spec.seccomp.profile, granted, host.architecture, host.kernel)


def _apparmor_fault(profile: str, host: Host) -> str:
    if not profile or profile == UNCONFINED:
        return ""
    if not host.apparmor:
        return "needs AppArmor, which is not available: this kernel does not have it"
    return "" if profile in host.apparmor_profiles else "is not loaded on this host"
