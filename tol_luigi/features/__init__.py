"""Features of the samples of shards: values, scores and vectors that extractors compute from images and texts.

- :mod:`.extractor`: the interface of an extractor; :mod:`.registry`: the extractors by name.
- :mod:`.extraction`: the features of one shard, one family of files for each extractor; :mod:`.running`: extractors run
  over a stream of samples.

An extractor is registered with :func:`~tol_luigi.features.registry.register`, or by another package through an
entry point of the group ``tol_luigi.extractors``.
"""
