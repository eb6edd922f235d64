"""A small set of sources that the program draws itself, so that a first build needs no download.

Real taxa, drawn pictures, real file formats: the archives, folders and tables are laid out as the
published ones are, with some of their oddities, and every byte is the same at each drawing.
"""

from tol_luigi.demonstration.files import ESTIMATES, FOLDER, LISTINGS, PARTITIONS, draw, settings

__all__ = ["ESTIMATES", "FOLDER", "LISTINGS", "PARTITIONS", "draw", "settings"]
