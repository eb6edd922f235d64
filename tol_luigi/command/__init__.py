"""The command ``tol``: plan a build, run it on a cluster, follow its progress, and trace an image."""
