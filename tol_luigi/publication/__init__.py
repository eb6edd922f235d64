"""Publish a finished dataset: send its files to a folder, to a store that fsspec knows, or to the Hugging Face Hub."""
