"""The dataset's ideas, pure: no luigi, no peewee, no environment, no clock, no printing."""
