"""The analyst's work: the line between queue and rest, decisions, and what leaves the workbench."""
