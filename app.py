"""Spoor: the workbench. Run it with ``streamlit run app.py``."""

from pathlib import Path

import streamlit as st

PAGES = Path(__file__).parent / "pages"

st.set_page_config(page_title="Spoor", page_icon=":material/footprint:", layout="wide")
here = st.navigation(
    {
        "Triage": [
            st.Page("pages/home.py", title="Home", icon=":material/home:", default=True),
            st.Page("pages/queue.py", title="Queue", icon=":material/format_list_bulleted:"),
            st.Page("pages/case.py", title="Case", icon=":material/search:"),
        ],
        "Explore": [
            st.Page("pages/import_log.py", title="Import", icon=":material/upload_file:"),
            st.Page("pages/data_sets.py", title="Data sets", icon=":material/database:"),
            st.Page("pages/cohort.py", title="Cohort", icon=":material/groups:"),
        ],
        "Models": [
            st.Page("pages/train.py", title="Train", icon=":material/model_training:"),
            st.Page("pages/models.py", title="Models", icon=":material/balance:"),
            st.Page(
                "pages/faithfulness.py",
                title="Explanations",
                icon=":material/fact_check:",
            ),
        ],
    }
)
# Not above: it takes seconds the first time, and until then Streamlit would list files as pages.
from pages._common import hand_over  # noqa: E402

hand_over()
st.html(PAGES / "style.css")
with st.sidebar:
    st.text_input(
        "Analyst",
        "analyst",
        key="analyst",
        bind="query-params",
        max_chars=100,
        help="Your verdicts are stored under this name.",
    )
here.run()
