"""Download the sources: the list of files, transfers that resume and verify, and safe extraction."""
