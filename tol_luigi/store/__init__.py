"""Mapping, names and tables of a dataset, in SQLite and in Parquet, and the queries on them."""
