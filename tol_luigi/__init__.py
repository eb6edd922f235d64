"""Builds TreeOfLife-10M, and datasets like it, as one Luigi graph.

``luigi --module tol_luigi BuildCatalog`` finds the tasks here.
"""

from __future__ import annotations

from importlib.metadata import version

from tol_luigi.tasks.settings_syntax import named_syntax_errors

with named_syntax_errors():
    import luigi  # noqa: F401 (it reads the settings files now)

# Luigi runs each task in a process of its own, forked from this one. What is imported here, it need not import.
import pandas as pd  # noqa: F401
import pyarrow.dataset  # noqa: F401

__version__ = version("tol_luigi")

from tol_luigi.tasks import error_lines, exit_codes, luigi_defaults
from tol_luigi.tasks.benchmarks import HashBenchmarks
from tol_luigi.tasks.build import BuildCatalog
from tol_luigi.tasks.catalog import WriteCatalog
from tol_luigi.tasks.download import DownloadSources
from tol_luigi.tasks.duplicates import FindDuplicates
from tol_luigi.tasks.leaks import ReportLeaks
from tol_luigi.tasks.manifest import WriteManifest
from tol_luigi.tasks.mapping import LoadMapping, MakeMapping, MakeSplits
from tol_luigi.tasks.metadata import LoadNames, MakeMetadata
from tol_luigi.tasks.predict import PredictCatalog
from tol_luigi.tasks.relabel import RelabelShards
from tol_luigi.tasks.scan import DrawDemonstration, HashPartition, ScanPartition, StoreSettings
from tol_luigi.tasks.shards import CheckShards, PlanShards, WriteShards
from tol_luigi.tasks.taxa import CheckTaxa
from tol_luigi.tasks.verify import VerifyDataset, VerifyShards

__all__ = [
    "BuildCatalog",
    "CheckShards",
    "CheckTaxa",
    "DownloadSources",
    "DrawDemonstration",
    "FindDuplicates",
    "HashBenchmarks",
    "HashPartition",
    "LoadMapping",
    "LoadNames",
    "MakeMapping",
    "MakeMetadata",
    "MakeSplits",
    "PlanShards",
    "PredictCatalog",
    "RelabelShards",
    "ReportLeaks",
    "ScanPartition",
    "StoreSettings",
    "VerifyDataset",
    "VerifyShards",
    "WriteCatalog",
    "WriteManifest",
    "WriteShards",
]

luigi_defaults.apply()
exit_codes.apply()
error_lines.apply()
