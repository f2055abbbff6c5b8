import os
import signal
import time

import pytest
from sqlalchemy import update
from streamlit.testing.v1 import AppTest

from core.store import jobs
from core.store.home import now
from core.store.tables import jobs as table
from tests.conftest import PAGES, ROOT

pytestmark = pytest.mark.usefixtures("home")


@pytest.mark.parametrize("page", PAGES)
def test_every_page_opens_on_an_empty_home(open_page, page):
    app = open_page(page)
    assert not app.exception
    assert not app.error
    assert app.title


@pytest.mark.parametrize("page", ["queue", "data_sets", "train", "faithfulness"])
def test_pages_that_need_a_log_say_how_to_get_one(open_page, page):
    assert open_page(page).info[0].value.startswith("No log yet. Import one, or load")


def test_an_empty_home_offers_the_demonstration(open_page):
    app = open_page("home")
    assert [button.label for button in app.button] == ["Load the demonstration"]


def test_a_case_that_does_not_exist_is_refused_in_words(open_page):
    app = open_page("case", case="4711")
    assert "There is no case 4711" in app.error[0].value
    assert not app.exception


def test_a_path_that_does_not_exist_is_refused_in_words(open_page):
    app = open_page("import_log", file="/nowhere/log.csv")
    assert "There is no file at" in app.error[0].value


@pytest.mark.parametrize("page", PAGES)
def test_a_page_that_is_a_servers_first_address_has_its_frame(page):
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60).run()
    app = app.switch_page(f"pages/{page}.py").run()
    assert app.sidebar.text_input(key="analyst").value == "analyst"


def test_the_analysts_name_stays_from_page_to_page(open_page):
    app = open_page("home")
    app.text_input(key="analyst").set_value("eva").run()
    app = app.switch_page("pages/train.py").run()
    assert app.text_input(key="analyst").value == "eva"


@pytest.mark.slow
def test_a_page_wakes_a_worker_for_what_a_machine_that_stopped_had_left(open_page, home):
    with home.engine.begin() as con:
        job_id = jobs.enqueue(con, "import", {"path": "absent.csv"}, "ann")
        con.execute(update(table).values(created_at=now() - 2 * jobs.LOST_AFTER))
    open_page("home")
    deadline = time.monotonic() + 60
    done = False
    while not done and time.monotonic() < deadline:
        time.sleep(0.2)
        with home.engine.connect() as con:
            job = jobs.get(con, job_id)
        done = job.status == "failed"
    assert done
    os.kill(int(job.worker.split(":")[1]), signal.SIGTERM)
