"""Pure domain logic: no luigi, no peewee, no environment, no clock, no printing."""
