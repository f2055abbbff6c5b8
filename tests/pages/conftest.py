import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import streamlit as st
from filelock import FileLock
from streamlit.runtime.pages_manager import PagesManager
from streamlit.testing.v1 import AppTest

from pages._working import PENDING
from tests.conftest import ROOT

_create = PagesManager.__init__


def _of_a_server_in_use(manager: PagesManager, *given: Any, **named: Any) -> None:
    """AppTest makes every run a server's first, which `hand_over` answers by running again."""
    _create(manager, *given, **named)
    PagesManager.uses_pages_directory = False


@pytest.fixture
def open_page(monkeypatch: pytest.MonkeyPatch) -> Callable[..., AppTest]:
    """Open a page through the entry point, on the home of the test."""
    st.cache_data.clear()  # homes of different tests hold data sets and runs of one name
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(PagesManager, "__init__", _of_a_server_in_use)

    def opened(name: str, **params: str) -> AppTest:
        app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=90).run()
        for key, value in params.items():
            app.query_params[key] = value
        return settled(app.switch_page(f"pages/{name}.py").run())

    return opened


def settled(app: AppTest) -> AppTest:
    """Wait, as a browser does, until the page says of nothing that it is still to come."""
    deadline = time.monotonic() + 60
    while any(one.value.startswith(PENDING) for one in app.caption):
        assert time.monotonic() < deadline
        time.sleep(0.05)
        app.run()
    return app


@pytest.fixture
def no_worker_here(seeded_home) -> Iterator[None]:
    """Hold the worker's lock of the seeded home, so that pages start no process."""
    with FileLock(seeded_home.path / "worker.lock"):
        yield
