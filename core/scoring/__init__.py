"""Scoring: the resident model and runs over whole data sets."""
