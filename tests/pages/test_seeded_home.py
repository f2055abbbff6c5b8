import pytest

from core.store import cases
from tests.conftest import PAGES

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("seeded_home", "no_worker_here")]


@pytest.mark.parametrize("page", PAGES)
def test_every_page_opens_on_a_filled_home(open_page, page):
    app = open_page(page)
    assert not app.exception
    assert not app.error


def test_home_leads_to_the_first_case(open_page, seeded_home):
    app = open_page("home")
    assert app.metric[0].value == str(_waiting(seeded_home))
    assert "Continue reviewing" in [button.label for button in app.button]


def _waiting(home):
    with home.engine.connect() as con:
        return len(cases.queue(con))
