"""The law of versions: what we serve is let in however it is written, and nothing else is."""

from __future__ import annotations

import pytest

from moored import errors
from moored.containerd import versions


@pytest.mark.parametrize(
    "version", ["1.6.20~ds1", "v1.6.33", "1.7.24~ds1", "2.0.0", "v2.1.9+ds1", "2.3.0-rc.1", "1.7"]
)
def test_versions_that_are_served_pass(version: str) -> None:
    versions.check(version)


@pytest.mark.parametrize("version", ["1.5.18", "1.8.0", "v1.4.13~ds1", "3.0.0", "0.2.9", "16.0"])
def test_versions_that_are_not_served_are_refused_by_name(version: str) -> None:
    with pytest.raises(
        errors.SetupRefused, match=r"only 1\.6, 1\.7 and 2\.x are served"
    ) as refused:
        versions.check(version)
    assert version in refused.value.message


@pytest.mark.parametrize("version", ["", "unknown", "2", "two.three", "1.6x", "1.6\n2.0"])
def test_what_is_no_version_is_refused_as_such(version: str) -> None:
    with pytest.raises(errors.SetupRefused, match="it calls its version"):
        versions.check(version)
