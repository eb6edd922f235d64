"""Draw a small set of sources, so that a first build needs no download.

The taxa and file formats are real, the images are drawn. Archives, folders and tables have the layout of the
published sources, with some of their irregularities. The output is byte-identical on each run.
"""

from tol_luigi.demonstration.files import (
    ESTIMATE_ERROR,
    ESTIMATES,
    FOLDER,
    LISTINGS,
    PARTITIONS,
    draw,
    settings,
)

__all__ = ["ESTIMATES", "ESTIMATE_ERROR", "FOLDER", "LISTINGS", "PARTITIONS", "draw", "settings"]
