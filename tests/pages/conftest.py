from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def open_page(tmp_path, monkeypatch):
    """Open a page through the entry point, on the home the test names (default: a new one)."""
    monkeypatch.setenv("SPOOR_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("SPOOR_DATABASE_URL", raising=False)
    monkeypatch.chdir(ROOT)

    def opened(name: str, **params: str) -> AppTest:
        app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60).run()
        for key, value in params.items():
            app.query_params[key] = value
        return app.switch_page(f"pages/{name}.py").run()

    return opened
