"""The command ``tol``: what would run, how far it is, what became of an image, and a build on a cluster."""
