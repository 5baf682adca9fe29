"""Pages that are made of something else say what that says now. `make protos` makes them."""

from __future__ import annotations

from tools import api, languages
from tools.api_comments import cell, prose


def test_the_reference_is_that_of_the_protos() -> None:
    assert api.PAGE.read_text() == api.page()


def test_snippets_are_those_of_the_programs() -> None:
    page = languages.PAGE.read_text()
    assert languages.filled(page) == page


def test_a_table_of_errors_becomes_a_table() -> None:
    comment = (
        " Errors:\n"
        "   NOT_FOUND    IMAGE_NOT_FOUND   It names\n"
        "                                  nothing.\n"
        "   INTERNAL     BUG               A defect.\n"
    )
    assert list(prose(comment)) == [
        "Errors:",
        "",
        "| code | reason | |",
        "|---|---|---|",
        "| NOT_FOUND | IMAGE_NOT_FOUND | It names nothing. |",
        "| INTERNAL | BUG | A defect. |",
        "",
    ]


def test_a_cell_is_one_line_that_markdown_leaves_alone() -> None:
    assert cell(" One\n two.\n\n <tag> | *\n") == "One two.<br>\\<tag> \\| \\*"
