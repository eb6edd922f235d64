"""Features of the samples of shards: values, scores and vectors that extractors compute from images and texts.

- :mod:`.extractor`: the interface of an extractor; :mod:`.registry`: the extractors by name.
- :mod:`.extraction`: runs extractors over the samples of one shard, and writes one family of files each.

An extractor is registered with :func:`~tol_luigi.features.registry.register`, or by another package through an
entry point of the group ``tol_luigi.extractors``.
"""
