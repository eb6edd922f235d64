"""Reference taxonomies: many sources, one tree, with the origin of every taxon.

Importers read the files of a source into :class:`~tol_luigi.taxonomy.records.Records`; a normalisation repairs
them; an alignment and a merge add them to a union, source by source in order of priority; products are written from
the union. No module here imports Luigi.
"""
