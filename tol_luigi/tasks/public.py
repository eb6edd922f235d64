"""All public tasks. Importing this module registers them with Luigi."""

from __future__ import annotations

from tol_luigi.tasks.agreement import EmbedTaxa, ScoreAgreement, ScorePrototypes
from tol_luigi.tasks.attribution import WriteAttribution
from tol_luigi.tasks.benchmarks import HashBenchmarks
from tol_luigi.tasks.build import BuildCatalog
from tol_luigi.tasks.build_report import BuildReport
from tol_luigi.tasks.card import WriteCard
from tol_luigi.tasks.catalog import CheckTaxa, WriteCatalog
from tol_luigi.tasks.download import DownloadSources
from tol_luigi.tasks.duplicates import FindDuplicates
from tol_luigi.tasks.feature_report import ExtractFeatures
from tol_luigi.tasks.feature_stages import BuildFeatures
from tol_luigi.tasks.features import ExtractShards
from tol_luigi.tasks.fetch_report import ReportFetched
from tol_luigi.tasks.leak_scores import ExtractReferences, ScoreLeaks
from tol_luigi.tasks.leaks import ReportLeaks
from tol_luigi.tasks.manifest import WriteManifest
from tol_luigi.tasks.mapping import LoadMapping, MakeMapping, MakeSplits
from tol_luigi.tasks.matches import CheckMatches
from tol_luigi.tasks.metadata import LoadNames, MakeMetadata
from tol_luigi.tasks.near_duplicates import FindNearDuplicates
from tol_luigi.tasks.plan import PlanShards
from tol_luigi.tasks.predict import PredictCatalog
from tol_luigi.tasks.relabel import RelabelShards
from tol_luigi.tasks.rights import WithholdImages
from tol_luigi.tasks.rights_report import ReportRights
from tol_luigi.tasks.scan import DrawDemonstration, HashPartition, ScanPartition, StoreSettings
from tol_luigi.tasks.selection import CatalogSelection, SelectSamples, WriteSelection
from tol_luigi.tasks.shards import CheckShards, WriteShards
from tol_luigi.tasks.tars import ExtractTars
from tol_luigi.tasks.taxa import CheckPredictedTaxa
from tol_luigi.tasks.taxonomy import (
    BuildReferenceTaxonomy,
    CompareTaxonomies,
    ImportTaxonomy,
    NormaliseTaxonomy,
)
from tol_luigi.tasks.url_lists import ListUrls
from tol_luigi.tasks.urls import FetchPartition
from tol_luigi.tasks.vector_index import BuildIndex
from tol_luigi.tasks.verify import VerifyDataset, VerifyShards

__all__ = [
    "BuildCatalog",
    "BuildFeatures",
    "BuildIndex",
    "BuildReferenceTaxonomy",
    "BuildReport",
    "CatalogSelection",
    "CheckMatches",
    "CheckPredictedTaxa",
    "CheckShards",
    "CheckTaxa",
    "CompareTaxonomies",
    "DownloadSources",
    "DrawDemonstration",
    "EmbedTaxa",
    "ExtractFeatures",
    "ExtractReferences",
    "ExtractShards",
    "ExtractTars",
    "FetchPartition",
    "FindDuplicates",
    "FindNearDuplicates",
    "HashBenchmarks",
    "HashPartition",
    "ImportTaxonomy",
    "ListUrls",
    "LoadMapping",
    "LoadNames",
    "MakeMapping",
    "MakeMetadata",
    "MakeSplits",
    "NormaliseTaxonomy",
    "PlanShards",
    "PredictCatalog",
    "RelabelShards",
    "ReportFetched",
    "ReportLeaks",
    "ReportRights",
    "ScanPartition",
    "ScoreAgreement",
    "ScoreLeaks",
    "ScorePrototypes",
    "SelectSamples",
    "StoreSettings",
    "VerifyDataset",
    "VerifyShards",
    "WithholdImages",
    "WriteAttribution",
    "WriteCard",
    "WriteCatalog",
    "WriteManifest",
    "WriteSelection",
    "WriteShards",
]
