"""How long a user waits: for the first page, the demonstration, and the reasons of a case.

    python -m benchmarks.startup

The first page is measured in Chromium from the start of the server process to the page's heading,
the demonstration from the start of ``python -m core demo`` on an empty home to its end. Then a case
of it that nobody has explained is opened on a fresh server, which loads the model for it, and
another beside it: from the address to the reasons.
"""

import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from core.demo import NAME
from core.store import cases
from core.store.home import open_home

ROOT = Path(__file__).parents[1]
ROUNDS = 3
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


@contextmanager
def server(home: Path) -> Iterator[str]:
    """Serve a home; give the address, at which nothing may answer yet."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, "SPOOR_HOME": str(home)}
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)]
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _wait_for(port)
        yield f"http://localhost:{port}"
    finally:
        process.terminate()
        process.wait()


def first_page(browser: Browser, home: Path) -> float:
    """Return seconds from starting the server to a usable first page."""
    started = time.perf_counter()
    with server(home) as url, browser.new_page() as page:
        page.goto(url)
        page.get_by_role("heading").first.wait_for()
        return time.perf_counter() - started


def cold_cases(browser: Browser, home: Path) -> list[float]:
    """Return seconds until the reasons of two cases stand that nobody has explained."""
    with open_home(home).engine.connect() as con:
        ids = cases.queue(con, NAME)["id"].iloc[[20, 21]]  # the first ten are explained
    waited = []
    with server(home) as url, browser.new_page() as page:
        page.goto(url)
        page.get_by_role("heading").first.wait_for()
        for number in ids:
            started = time.perf_counter()
            page.goto(f"{url}/case?case={number}")
            page.get_by_text("% of sequences").first.wait_for(timeout=120_000)
            waited.append(time.perf_counter() - started)
    return waited


def _wait_for(port: int) -> None:
    while True:
        try:
            socket.create_connection(("localhost", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.02)


def demonstration(home: Path) -> float:
    """Return seconds that filling an empty home with the demonstration takes."""
    started = time.perf_counter()
    command = [sys.executable, "-m", "core", "demo", "--home", str(home)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return time.perf_counter() - started


def main() -> None:
    """Print the median of each wait."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as name:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        pages = [first_page(browser, Path(name) / "empty") for _ in range(ROUNDS)]
        homes = [Path(name) / f"demo{number}" for number in range(ROUNDS)]
        demos = [demonstration(home) for home in homes]
        colds = [cold_cases(browser, home) for home in homes]
    first, second = zip(*colds, strict=True)
    for what, waits in {
        "first page": pages,
        "demonstration": demos,
        "reasons of a case, on a fresh server": first,
        "reasons of the next": second,
    }.items():
        print(f"{what}: median {statistics.median(waits):.1f} s of {[round(s, 1) for s in waits]}")


if __name__ == "__main__":
    main()
