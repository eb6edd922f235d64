"""Builds on several nodes: luigid assigns tasks, workers run them, and the foreman schedules the graph."""
