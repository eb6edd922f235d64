from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from tol_luigi.core import errors
from tol_luigi.core.errors import SourceError, TolError

EVERY = [getattr(errors, name) for name in errors.__all__]


def test_all_errors_are_public() -> None:
    found: list[type[TolError]] = [TolError]
    for error in found:
        found += error.__subclasses__()

    assert {error for error in found if error.__module__ == errors.__name__} == set(EVERY)


@pytest.mark.parametrize(
    "error", EVERY, ids=lambda error: f"{error.__name__} says where, what and what to do"
)
def test_the_text_is_one_clear_line(error: type[TolError]) -> None:
    raised = error(Path("a/b.csv"), "lacks the column page_id", "Give a table with that column")

    assert str(raised) == "a/b.csv: lacks the column page_id. Give a table with that column."
    assert isinstance(raised, TolError)


def test_a_message_of_a_library_with_line_breaks_is_one_line() -> None:
    raised = TolError("rows.jsonld", "breaks off (premature EOF\n       \n   ------^\n)", "Fetch it again")

    assert str(raised) == "rows.jsonld: breaks off (premature EOF ------^ ). Fetch it again."


@pytest.mark.parametrize("error", EVERY, ids=lambda error: f"{error.__name__} travels between processes")
def test_an_error_pickles(error: type[TolError]) -> None:
    sent = error(Path("a/b.csv"), "is empty", "Fetch it again")
    received = pickle.loads(pickle.dumps(sent))  # noqa: S301 (our own bytes)

    assert type(received) is error
    assert str(received) == str(sent)
    assert (received.where, received.what, received.remedy) == ("a/b.csv", "is empty", "Fetch it again")


def test_what_a_source_raises_is_caught_as_one() -> None:
    assert issubclass(errors.ArchiveError, SourceError)
    assert issubclass(errors.TableError, SourceError)
    assert not issubclass(errors.MappingError, SourceError)
