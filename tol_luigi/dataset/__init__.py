"""Open a finished dataset from Python, without Luigi and settings. Nothing is written."""

from __future__ import annotations

from tol_luigi.dataset.catalog import Catalog
from tol_luigi.dataset.licenses import ImageLicense
from tol_luigi.dataset.opened import Dataset
from tol_luigi.dataset.sample import Sample

__all__ = ["Catalog", "Dataset", "ImageLicense", "Sample"]
