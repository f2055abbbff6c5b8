"""The database and the files beside it: one module per noun, plain functions taking a connection."""
