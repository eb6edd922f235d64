"""Whatever a library makes of a limit of the system, the limit is named, and what to do about it."""

from __future__ import annotations

import contextlib
import errno
import os
import resource
from typing import Any

import pyarrow as pa
import pytest

from tol_luigi.core.errors import DiskError, LimitError, TableError
from tol_luigi.core.limits import causes, expected_error

NO_THREAD = "can't start new thread"


def of_system(number: int, filename: str | None = None) -> OSError:
    return OSError(number, os.strerror(number), filename)


@pytest.fixture(autouse=True)
def limits(monkeypatch: pytest.MonkeyPatch) -> dict[int, int]:
    """The limits of this process, to be changed by a test: none, if it does not say otherwise."""
    chosen: dict[int, int] = {}
    monkeypatch.setattr(
        resource, "getrlimit", lambda kind: (chosen.get(kind, resource.RLIM_INFINITY), resource.RLIM_INFINITY)
    )
    return chosen


@pytest.mark.parametrize(
    ("error", "what"),
    [
        pytest.param(MemoryError(), "no memory is left", id="memory"),
        pytest.param(of_system(errno.ENOMEM), "no memory is left", id="memory, by a call"),
        pytest.param(RuntimeError(NO_THREAD), "no more processes or threads can be started", id="threads"),
        pytest.param(
            pa.ArrowException(f"Unknown error: {os.strerror(errno.EAGAIN)}"),
            "no more processes or threads can be started",
            id="threads of Arrow",
        ),
        pytest.param(of_system(errno.EMFILE), "no more files can be opened", id="open files"),
        pytest.param(of_system(errno.ENFILE), "no more files can be opened", id="open files of the system"),
        pytest.param(of_system(errno.ENOSPC), "cannot be written (No space left on device)", id="disk"),
        pytest.param(of_system(errno.EDQUOT), "cannot be written (Disk quota exceeded)", id="quota"),
        pytest.param(of_system(errno.EFBIG), "cannot be written (File too large)", id="length of files"),
        pytest.param(of_system(errno.EROFS), "cannot be written (Read-only file system)", id="read-only"),
    ],
)
def test_a_limit_is_named(error: Exception, what: str) -> None:
    found = expected_error(error)

    assert isinstance(found, LimitError)
    assert (found.where, found.what) == ("this process", what)
    assert found.remedy.endswith("run the same command again")


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(ValueError("x"), id="a fault of the program"),
        pytest.param(of_system(errno.ENOENT), id="a file that is missing"),
        pytest.param(of_system(errno.EAGAIN), id="a call to be made again"),
        pytest.param(of_system(errno.EIO), id="a number between those of limits"),
        pytest.param(RuntimeError("another"), id="another error of Python"),
        pytest.param(pa.ArrowException("another"), id="another error of Arrow"),
    ],
)
def test_other_errors_are_faults_of_the_program(error: Exception) -> None:
    assert expected_error(error) is None


@pytest.mark.parametrize(
    ("error", "kind", "limit", "shown"),
    [
        (MemoryError(), resource.RLIMIT_AS, 3 << 30, "no memory is left (the limit is 3,072 MiB: ulimit -v)"),
        (
            of_system(errno.EMFILE),
            resource.RLIMIT_NOFILE,
            1024,
            "no more files can be opened (the limit is 1,024: ulimit -n)",
        ),
        (
            RuntimeError(NO_THREAD),
            resource.RLIMIT_NPROC,
            4096,
            "no more processes or threads can be started (the limit is 4,096: ulimit -u)",
        ),
    ],
)
def test_the_limit_of_the_process_is_shown(
    error: Exception, kind: int, limit: int, shown: str, limits: dict[int, int]
) -> None:
    limits[kind] = limit
    found = expected_error(error)

    assert found is not None
    assert found.what == shown


def raised_from(error: Exception, cause: Exception, how: str = "from") -> Exception:
    """Raise an error from another one, or while that is handled, or so that it is not shown."""
    with contextlib.suppress(type(error)):
        try:
            raise cause
        except type(cause):
            if how == "while":
                raise error  # noqa: B904 (that is what is tested)
            raise error from (cause if how == "from" else None)
    return error


def test_what_a_library_has_made_of_a_limit_is_seen_through() -> None:
    inner = of_system(errno.EMFILE, "/data/a.csv")
    table = TableError("/data/a.csv", "cannot be read", "See to it")
    for error in (raised_from(ValueError("x"), inner), raised_from(table, inner)):
        found = expected_error(error)
        assert isinstance(found, LimitError)
        assert found.where == "/data/a.csv"
        assert found.what == "no more files can be opened"


def test_a_cause_that_is_not_to_be_shown_does_not_count() -> None:
    assert expected_error(raised_from(ValueError("x"), MemoryError(), "hidden")) is None


def test_what_says_it_already_stays_as_it_is() -> None:
    own: list[Any] = [
        raised_from(kind("/data", "is full", "Make space"), MemoryError()) for kind in (DiskError, LimitError)
    ]
    own.append(TableError("/data/a.csv", "lacks a column", "See to it"))

    assert [expected_error(error) for error in own] == own


def test_causes_are_followed_up_to_the_first() -> None:
    first, second, third = KeyError("a"), ValueError("b"), TypeError("c")
    raised_from(second, first, "while")
    raised_from(third, second)

    assert list(causes(third)) == [third, second, first]
    assert list(causes(None)) == []
