"""Pictures: pure functions from data to Plotly figures, for pages, tests and evidence alike."""
