from collections.abc import Callable
from pathlib import Path

import pytest

DATA = Path(__file__).parents[4] / "shared" / "data"

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a log and return its path."""

    def write_file(content: str | bytes, name: str = "log.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write_file


@pytest.fixture
def real() -> Callable[[str], Path]:
    """Return the path of a real log, or skip."""

    def find(name: str) -> Path:
        if not (DATA / name).exists():
            pytest.skip(f"the real logs are not at {DATA}")
        return DATA / name

    return find
