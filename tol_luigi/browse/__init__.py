"""The web application of ``tol browse``: search, look at and compare finished datasets."""
