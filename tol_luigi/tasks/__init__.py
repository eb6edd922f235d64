"""The graph: thin Luigi tasks, each of which asks the layers below to do one thing."""
