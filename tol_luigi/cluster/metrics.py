"""Prometheus metrics of luigid: Luigi's own, and the status of the run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from luigi.contrib.prometheus_metric import PrometheusMetricsCollector
from prometheus_client import Gauge

if TYPE_CHECKING:
    from collections.abc import Callable

    from tol_luigi.cluster.task_reports import Report

__all__ = ["Metrics"]


class Metrics(PrometheusMetricsCollector):
    """Luigi's counters by stage, plus tasks by state, workers, and images with their current rate.

    Args:
        report: Returns the status of the run.
    """

    def __init__(self, report: Callable[[], Report]) -> None:
        super().__init__()
        self._report = report
        registry, labels = self.registry, ["family"]
        self._tasks = Gauge("tol_tasks", "tasks by stage and state", [*labels, "state"], registry=registry)
        self._workers = Gauge("tol_workers", "workers known to luigid", registry=registry)
        self._images = Gauge("tol_images", "processed images, by stage", labels, registry=registry)
        self._rate = Gauge(
            "tol_images_per_second", "images per second in the last minute", labels, registry=registry
        )

    def generate_latest(self) -> bytes:
        """Return the current metrics."""
        report = self._report()
        self._tasks.clear()
        for family, states in report["counts"].items():
            for state, count in states.items():
                self._tasks.labels(family, state).set(count)
        self._workers.set(report["workers"])
        for family, images in report["images"].items():
            self._images.labels(family).set(images)
            self._rate.labels(family).set(report["images_per_second"].get(family, 0))
        return bytes(super().generate_latest())
