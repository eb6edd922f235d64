"""Format the results of a build as text and as JSON."""
