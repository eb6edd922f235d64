"""The stage that plans the shards."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from tol_luigi.core.files import write_json
from tol_luigi.core.plan import number
from tol_luigi.store.catalogs import count_samples
from tol_luigi.tasks.matches import CheckMatches
from tol_luigi.tasks.partitions import all_partitions
from tol_luigi.tasks.predict import PredictCatalog
from tol_luigi.tasks.stage import StageTask
from tol_luigi.tasks.taxa import CheckPredictedTaxa

if TYPE_CHECKING:
    from pathlib import Path

    from tol_luigi.tasks.base import DatasetTask

__all__ = ["PlanShards"]


class PlanShards(StageTask):
    """Assign shard numbers to each (split, source, partition)."""

    def requires(self) -> list[DatasetTask]:
        """Require the predicted catalog, and the checks of its taxa and of the matches with names."""
        return [self.clone(PredictCatalog), self.clone(CheckPredictedTaxa), self.clone(CheckMatches)]

    def files(self) -> list[Path]:
        """Return the plan, as JSON."""
        return [self.layout.plan]

    def make(self) -> None:
        """Count the samples, and number the shards."""
        counts = count_samples(self.layout.predicted)
        shares = [
            (share["split"], share["source"], share["partition"]) for share in all_partitions(self.settings)
        ]
        plan = number([(*share, counts.get(share, 0)) for share in shares], self.settings.shards.max_samples)
        write_json(self.layout.plan, [asdict(share) for share in plan])
