"""The jobs of dataset2metadata: its files of settings, its names of models and outputs, and its files of results.

- :mod:`.jobs`: reads a file of settings. :mod:`.names`: what its names mean here.
- :mod:`.outputs`: which columns and vectors of our extractors a job asks for.
- :mod:`.twins`: writes the Parquet and npz file of a group of tars.
"""
