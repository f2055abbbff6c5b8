"""Spoor's engine: everything below the pages. Nothing here imports Streamlit."""
