"""One file per page: guard, widgets, one core call, draw."""
