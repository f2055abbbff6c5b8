"""The database and the files beside it: one module per noun, functions taking a connection."""
