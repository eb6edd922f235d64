"""Fetching the sources: what there is to fetch, transfers that resume and verify, safe unpacking."""

from __future__ import annotations

from tol_luigi.downloads.forecast import Row, forecast, require_space

__all__ = ["Row", "forecast", "require_space"]
