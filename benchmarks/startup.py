"""How long a user waits: for the first page, and for the demonstration to be ready.

    python -m benchmarks.startup

The first page is measured in Chromium from the start of the server process to the page's heading,
the demonstration from the start of ``python -m core demo`` on an empty home to its end.
"""

import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

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


def first_page(browser: Browser, home: Path) -> float:
    """Return seconds from starting the server to a usable first page."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, "SPOOR_HOME": str(home)}
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)]
    started = time.perf_counter()
    server = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        page = browser.new_page()
        _wait_for(port)
        page.goto(f"http://localhost:{port}")
        page.get_by_role("heading").first.wait_for()
        return time.perf_counter() - started
    finally:
        server.terminate()
        server.wait()


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
        demos = [demonstration(Path(name) / f"demo{number}") for number in range(ROUNDS)]
    print(f"first page: median {statistics.median(pages):.1f} s of {[round(s, 1) for s in pages]}")
    print(f"demonstration: median {statistics.median(demos):.1f} s of {[round(s) for s in demos]}")


if __name__ == "__main__":
    main()
