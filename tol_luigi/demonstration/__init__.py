"""Draw a small set of sources, so that a first build needs no download.

The taxa and file formats are real, the images are drawn. Archives, folders and tables have the layout of the
published sources, with some of their irregularities. The output is byte-identical on each run.

:mod:`tol_luigi.demonstration.files` draws them. It is imported only where that happens, since it takes longer
than the rest of the package.
"""

from tol_luigi.demonstration.contents import ESTIMATE_ERROR, ESTIMATES, FOLDER, LISTINGS, PARTITIONS, settings

__all__ = ["ESTIMATES", "ESTIMATE_ERROR", "FOLDER", "LISTINGS", "PARTITIONS", "settings"]
