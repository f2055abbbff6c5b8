"""The whole path in a real browser: a raw log goes in, a retrained model comes out."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qs, urljoin, urlsplit

import pandas as pd
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from core.simulate import simulate_shop
from core.store import cases, jobs, models, runs
from core.store.home import Home, open_home
from tests.conftest import PAGES, ROOT, SHARED

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SIZES = [(1440, 900), (1024, 768)]
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
LONG = 300_000  # milliseconds a training may take


@pytest.fixture(scope="module")
def workbench(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return open_home(tmp_path_factory.mktemp("journey") / "home")


@pytest.fixture(scope="module")
def address(workbench: Home) -> Iterator[str]:
    """Run the server as a user does, on a free port, its output in a file."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    url = f"http://localhost:{port}"
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)]
    environment = {**os.environ, "SPOOR_HOME": str(workbench.path)}
    with (workbench.path / "server.log").open("wb") as log:
        server = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
        try:
            _wait_until_healthy(url, server)
            yield url
        finally:
            server.terminate()
            server.wait(30)
            _end_worker(workbench)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    program = next((found for name in names if (found := shutil.which(name))), None)
    if program is None:
        pytest.fail("No Chromium or Chrome is installed: `make browser` installs one.")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield running
        running.close()


@pytest.fixture(scope="module")
def log_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real shop log where it is there, else a generated one."""
    real = SHARED / "rees46_shop" / "events.csv.gz"
    if real.exists():
        return real
    file = tmp_path_factory.mktemp("log") / "shop.csv"
    events = simulate_shop(seed=5, actors=200, days=7)
    events.rename(columns={"actor_id": "user_id", "ts": "event_time"}).to_csv(file, index=False)
    return file


def test_from_a_raw_log_to_a_retrained_model(
    address: str, browser: Browser, workbench: Home, log_file: Path
) -> None:
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.set_default_timeout(60_000)
    expect.set_options(timeout=30_000)
    try:
        _import(page, address, log_file)
        _pre_train_and_score(page)
        _open_and_explain(page)
        _review(page, workbench)
        _retrain_and_promote(page, workbench)
        _score_again(page, workbench)
        _every_page_fits(page, address)
    finally:
        page.screenshot(path=workbench.path / "last.png")
        page.close()


def _import(page: Page, address: str, log_file: Path) -> None:
    page.goto(address)
    # Streamlit itself lists files until app.py says which pages there are: an instant, not longer.
    first = page.get_by_test_id("stSidebarNavLink").first
    expect(first).to_contain_text("Home", timeout=5_000)
    page.get_by_role("link", name="Import a log").click()
    page.locator("input[type=file]").set_input_files(log_file)
    expect(page.get_by_text("What comes out")).to_be_visible()
    expect(page.get_by_role("button", name="Search").first).to_be_attached()  # of a table
    expect(page.get_by_role("button", name="Download as CSV")).to_have_count(0)  # unguarded
    actor = page.get_by_role("combobox", name="Who acts")
    expect(actor).to_have_value("user_id")
    name = page.get_by_role("textbox", name="Name of the data set")
    name.fill("shop")
    name.press("Enter")
    _settle(page)
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.get_by_text("is in:")).to_be_visible(timeout=LONG)


def _pre_train_and_score(page: Page) -> None:
    page.get_by_role("button", name="Train a model on it").click()
    expect(page.get_by_text("No verdicts and no labels yet")).to_be_visible()
    _rounds(page, 1)
    page.get_by_role("button", name="Pre-train on this log").click()
    page.get_by_role("button", name="Score this log with it").click(timeout=LONG)
    page.wait_for_url("**/queue**")
    expect(page.get_by_text("cases, highest first")).to_be_visible(timeout=LONG)


def _open_and_explain(page: Page) -> None:
    page.get_by_role("button", name="Start reviewing").click()
    page.wait_for_url("**/case**")
    expect(page.get_by_text("towards unusual")).to_be_visible(timeout=LONG)
    expect(page.locator(".js-plotly-plot .scatterlayer .point")).not_to_have_count(0)
    page.get_by_role("tab", name="Why").click()
    words = page.get_by_text(re.compile("^Base value")).inner_text(timeout=LONG)
    numbers = [float(number) for number in re.findall(r"[-+]?\d+\.\d+", words)]
    base, whole, events, together, score = numbers
    assert base + whole + events == pytest.approx(score, abs=2e-4)
    assert together == score
    expect(page.locator(".js-plotly-plot .barlayer .point")).not_to_have_count(0)


def _review(page: Page, workbench: Home) -> None:
    """Give five verdicts of each class, by key and by mouse, and take one back.

    Cases still being explained must not keep a verdict waiting.
    """
    for key in ("a", "a", "a", "x", "x", "x", "u"):
        _moves(page, lambda key=key: page.keyboard.press(key))
    _moves(page, lambda: page.keyboard.press("Backspace"))
    _moves(page, lambda: page.keyboard.press("n"))
    for decision in ("confirmed", "legitimate"):
        for _ in range(2):
            button = page.locator(f".st-key-verdict-{decision}-{_case(page)} button")
            _moves(page, lambda button=button: button.click())
            page.keyboard.press("Enter")  # must not press the clicked button on the next case
    with workbench.engine.connect() as con:
        decided = cases.queue(con, decided=True)["decision"].value_counts()
    assert decided.to_dict() == {"confirmed": 5, "legitimate": 5}


def _retrain_and_promote(page: Page, workbench: Home) -> None:
    page.get_by_role("link", name="Train").click()
    _settle(page)
    _rounds(page, 2)
    page.get_by_role("button", name="Train a candidate").click()
    expect(page.get_by_text("Held out:")).to_be_visible(timeout=LONG)
    page.get_by_role("button", name="Compare and promote").click()
    page.get_by_role("button", name="Promote", exact=True).click()
    expect(page.get_by_text("decides from now on")).to_be_visible()
    with workbench.engine.connect() as con:
        active = models.active(con)
    assert active is not None
    assert active.kind == "probability"


def _score_again(page: Page, workbench: Home) -> None:
    before = _scores(workbench)
    # By address: a click on the link can meet the page's own rerun after the promotion.
    page.goto(urljoin(page.url, "/data_sets"))
    page.get_by_role("button", name="Score with the active model").click()
    _until_scored(workbench, 2)
    page.get_by_role("link", name="Queue").click()
    with workbench.engine.connect() as con:
        active = models.active(con)
    assert active is not None
    expect(page.get_by_text(f"scores of {active.id}")).to_be_visible()
    after = _scores(workbench)
    assert set(after.index) == set(before.index)
    assert not after.reindex(before.index).round(3).equals(before.round(3))


def _every_page_fits(page: Page, address: str) -> None:
    """No page is wider than the window, on a large and on a small screen."""
    for width, height in SIZES:
        page.set_viewport_size({"width": width, "height": height})
        for name in PAGES:
            page.goto(f"{address}/{'' if name == 'home' else name}")
            _settle(page)
            main = page.get_by_test_id("stMain")
            assert main.evaluate("element => element.scrollWidth <= element.clientWidth"), name
            expect(page.get_by_test_id("stException")).to_have_count(0)


def _rounds(page: Page, number: int) -> None:
    field = page.get_by_role("spinbutton", name="Rounds")
    field.fill(str(number))
    field.press("Tab")


def _moves(page: Page, act: Callable[[], None]) -> None:
    """Act, and wait until the page shows another case: a key before that is for the one before."""
    before = page.url
    act()
    page.wait_for_function("before => location.href !== before", arg=before)
    page.locator(f".st-key-skip-{_case(page)}").wait_for()


def _case(page: Page) -> str:
    return parse_qs(urlsplit(page.url).query)["case"][0]


def _settle(page: Page) -> None:
    """Wait until the page has nothing more to draw."""
    page.wait_for_function(
        """() => document.querySelector('[data-testid="stApp"]')
        ?.getAttribute('data-test-script-state') === 'notRunning'
        && !document.querySelector('[data-testid="stSkeleton"]')"""
    )


def _scores(workbench: Home) -> pd.Series:
    with workbench.engine.connect() as con:
        run = runs.newest(con, "shop")
    assert run is not None
    return pd.read_parquet(workbench.run_file(run.id)).set_index("sequence_id")["score"]


def _until_scored(workbench: Home, times: int) -> None:
    """Wait for jobs to end; explanations of the whole queue nobody waits for."""
    deadline = time.monotonic() + LONG / 1000
    while time.monotonic() < deadline:
        with workbench.engine.connect() as con:
            waiting = set(jobs.unfinished(con)["kind"]) - {"explain"}
            if not waiting and jobs.newest(con, "score").shape[0] == times:
                return
        time.sleep(0.3)
    pytest.fail("The scoring did not end in time.")


def _wait_until_healthy(url: str, server: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/_stcore/health", timeout=1):
                return
        except OSError:
            time.sleep(0.2)
    pytest.fail(f"The server did not start (exit code {server.poll()}).")


def _end_worker(workbench: Home) -> None:
    """End the worker that the pages started; it would wait for work for some minutes."""
    with workbench.engine.connect() as con:
        names = jobs.newest(con)["worker"].dropna().unique()
    for name in names:
        try:
            os.kill(int(name.rsplit(":", 1)[1]), signal.SIGTERM)
        except ProcessLookupError:
            continue
