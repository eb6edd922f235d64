"""Progress reaches whoever runs the task: a worker of ours in one request, Luigi's own in two, and nobody else."""

from __future__ import annotations

import luigi

from tol_luigi.tasks.progress import report_progress, shown_progress


class Task(luigi.Task):
    """A task that keeps what it reports."""

    task_namespace = "progress"


def test_the_end_is_reported_however_it_was_counted() -> None:
    reported: list[int] = []
    about = {"family": "Task", "label": "Task a", "unit": "images"}
    with shown_progress(lambda done, _: reported.append(done), total=3, **about) as shown:
        shown.advance(2)
        shown.reach(3)
        assert reported == []  # no more often than every few seconds
    assert reported == [3]


def test_luigis_own_worker_is_told_message_and_percentage() -> None:
    task, told = Task(), list[object]()
    report_progress(task, "nobody runs it", 1, 2)
    task.set_status_message = task.set_progress_percentage = told.append
    report_progress(task, "1 of 3", 1, 3, images=1)
    report_progress(task, "4", 4, None)
    assert told == ["1 of 3", 33, "4"]


def test_a_worker_of_ours_is_told_all_at_once() -> None:
    task, told = Task(), list[tuple[object, ...]]()
    task.report_progress = lambda *given: told.append(given)
    report_progress(task, "1 of 3 images", 1, 3, images=1)
    report_progress(task, "4 rows", 4, None)
    assert told == [("1 of 3 images", 33, 1), ("4 rows", None, None)]
