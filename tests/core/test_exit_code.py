from __future__ import annotations

from tol_luigi.core.exit_code import ExitCode


def test_exit_codes_are_those_that_scripts_rely_on() -> None:
    assert {code.name: code.value for code in ExitCode} == {
        "COMPLETE": 0,
        "NEGATIVE": 1,
        "ALREADY_RUNNING": 10,
        "MISSING_DATA": 20,
        "NOT_RUN": 25,
        "TASK_FAILED": 30,
        "SCHEDULING_ERROR": 35,
        "UNHANDLED_EXCEPTION": 40,
        "INTERRUPTED": 130,
    }
