"""Spoor's engine: everything below the pages. Nothing here imports Streamlit."""

import os

# Pages and worker share the cores: a thread of one that spins while it waits starves the other.
# Read by the OpenMP runtime when torch loads it.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
