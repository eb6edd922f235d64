"""The mapping and the names, in SQLite through Peewee, and every question asked of them."""
