"""Download the sources: the list of files, transfers that resume and verify, and safe extraction."""

from __future__ import annotations

from tol_luigi.downloads.estimate import FileEstimate, estimate, require_space

__all__ = ["FileEstimate", "estimate", "require_space"]
