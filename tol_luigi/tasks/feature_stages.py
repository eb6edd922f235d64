"""All that ``[features]`` asks for: features, clusters of near-duplicates, and the index."""

from __future__ import annotations

import luigi

from tol_luigi.tasks.base import DatasetTask
from tol_luigi.tasks.catalog import WriteCatalog
from tol_luigi.tasks.feature_report import ExtractFeatures
from tol_luigi.tasks.feature_settings import feature_set
from tol_luigi.tasks.near_duplicates import FindNearDuplicates
from tol_luigi.tasks.selection_settings import finds_near_duplicates
from tol_luigi.tasks.vector_index import BuildIndex

__all__ = ["BuildFeatures", "feature_stages"]


def feature_stages(task: DatasetTask) -> list[DatasetTask]:
    """Return the stages that the settings of features ask for."""
    settings = task.settings
    wanted: dict[type[DatasetTask], bool] = {
        ExtractFeatures: bool(feature_set(settings).extractors),
        FindNearDuplicates: finds_near_duplicates(settings),
        BuildIndex: settings.features.index is not None,
    }
    return [task.clone(stage) for stage, is_wanted in wanted.items() if is_wanted]


class BuildFeatures(DatasetTask, luigi.WrapperTask):
    """Build all that [features] asks for: features, near-duplicates, and the index."""

    def requires(self) -> list[DatasetTask]:
        """Require the stages, and the catalog, which is joined with the features."""
        return [self.clone(WriteCatalog), *feature_stages(self)]
