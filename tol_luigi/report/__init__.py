"""What a build tells its user: texts made from figures."""
