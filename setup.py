"""Everything is in setup.cfg; this file lets pip install the package in place."""

from setuptools import setup

setup()
