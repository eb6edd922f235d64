"""Finished shards in the formats of other programs: converted, not decoded."""
