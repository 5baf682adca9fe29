"""The law: names become numbers by the image's files, and a number needs no entry."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moored.model import users
from moored.model.users import LARGEST_ID, Identity, Unknown

PASSWD = """\
root:x:0:0:root:/root:/bin/sh

web:x:33:44::/srv/www:/bin/false
bare:x:50:60
broken:x:what:60:::
twin:x:33:1::/twin:
"""
GROUP = """\
root:x:0:
tty:x:5:web,root
web:x:44:
audio:x:29:other, web
video:x:30:other,web
broken:x:y:web
"""


@pytest.mark.parametrize(
    ("user", "who"),
    [
        ("root", Identity(0, 0, (0, 5), "/root")),
        ("web", Identity(33, 44, (44, 5, 30), "/srv/www")),
        ("33", Identity(33, 44, (44, 5, 30), "/srv/www")),
        ("web:audio", Identity(33, 29, (29,), "/srv/www")),
        ("web:7", Identity(33, 7, (7,), "/srv/www")),
        ("bare", Identity(50, 60, (60,), "/")),
        ("1234", Identity(1234, 0, (0,), "/")),
        ("1234:video", Identity(1234, 30, (30,), "/")),
        ("twin", Identity(33, 1, (1,), "/twin")),
    ],
)
def test_a_user_is_who_the_files_say(user: str, who: Identity) -> None:
    assert users.resolve(user, (), PASSWD, GROUP) == who


@pytest.mark.parametrize("user", ["nobody", "broken", "web:nobody", "web:broken", "Root"])
def test_a_name_that_the_files_do_not_have_is_unknown(user: str) -> None:
    with pytest.raises(Unknown, match="is not in the image's"):
        users.resolve(user, (), PASSWD, GROUP)


def test_groups_are_added_by_name_and_number_each_once() -> None:
    who = users.resolve("web", ("audio", "9", "tty"), PASSWD, GROUP)
    assert who.groups == (44, 5, 30, 29, 9)
    with pytest.raises(Unknown, match="group 'none'"):
        users.resolve("web", ("none",), PASSWD, GROUP)


def test_without_files_numbers_are_still_somebody() -> None:
    assert users.resolve("5:6", ("7",), "", "") == Identity(5, 6, (6, 7), "/")


@pytest.mark.parametrize("user", ["a", "0", "4294967294:1", "www-data:tty", "_x", "host$", "1a"])
def test_users_as_people_write_them_are_fit(user: str) -> None:
    assert users.fault(user) == ""


@pytest.mark.parametrize(
    "user", ["", ":", "a:", ":a", "a:b:c", "-1", "+x", "a b", "a/b", "4294967295", "a\0", "x" * 300]
)
def test_what_can_be_nobody_anywhere_is_refused(user: str) -> None:
    assert users.fault(user)


@given(st.text(alphabet="0123456789:", max_size=24))
def test_a_numeric_user_fits_the_kernel(text: str) -> None:
    if users.is_numeric(text):
        assert users.fault(text) == ""
        assert all(int(number) <= LARGEST_ID for number in text.split(":"))


@given(st.text(max_size=20), st.text(max_size=200), st.text(max_size=200))
def test_no_file_breaks_the_look(user: str, passwd: str, group: str) -> None:
    if not users.fault(user):
        try:
            who = users.resolve(user, (), passwd, group)
        except Unknown:
            return
        assert 0 <= who.uid <= LARGEST_ID
        assert who.groups[0] == who.gid
