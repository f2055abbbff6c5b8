"""From a raw log file to canonical events, their facts and their sequences."""
