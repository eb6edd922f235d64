"""Figures of luigid for Prometheus: Luigi's own, and those that tell how a run is doing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from luigi.contrib.prometheus_metric import PrometheusMetricsCollector
from prometheus_client import Gauge

if TYPE_CHECKING:
    from collections.abc import Callable

    from tol_luigi.cluster.scheduler import Report

__all__ = ["Metrics"]


class Metrics(PrometheusMetricsCollector):
    """Luigi's counters by stage; and tasks by state, workers, and images with their rate, as they are when asked.

    Args:
        report: Tells how the run is doing.
    """

    def __init__(self, report: Callable[[], Report]) -> None:
        super().__init__()
        self._report = report
        of, every = self.registry, ["family"]
        self._tasks = Gauge("tol_tasks", "tasks by stage and state", [*every, "state"], registry=of)
        self._workers = Gauge("tol_workers", "workers that luigid has heard of", registry=of)
        self._images = Gauge("tol_images", "images worked on, by stage", every, registry=of)
        self._rate = Gauge("tol_images_per_second", "images a second in the last minute", every, registry=of)

    def generate_latest(self) -> bytes:
        """Give the figures as they are now."""
        now = self._report()
        self._tasks.clear()
        for family, states in now["counts"].items():
            for state, count in states.items():
                self._tasks.labels(family, state).set(count)
        self._workers.set(now["workers"])
        for family, images in now["images"].items():
            self._images.labels(family).set(images)
            self._rate.labels(family).set(now["images_per_second"].get(family, 0))
        return bytes(super().generate_latest())
