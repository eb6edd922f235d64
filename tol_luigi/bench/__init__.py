"""Measurements of this machine: what images cost, next to other ways to do the same."""
