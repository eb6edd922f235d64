"""Many nodes, one build: a luigid of our own, the workers it hands tasks to, and the foreman who knows the graph."""
