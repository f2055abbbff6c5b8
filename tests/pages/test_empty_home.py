import pytest
from streamlit.testing.v1 import AppTest

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
