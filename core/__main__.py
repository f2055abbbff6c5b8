"""The command line: everything a page does can be done without it.

Exit codes: 0 done, 1 refused with one clear line, 2 wrong usage.
"""

import os
import sys
from typing import NoReturn

from core.commands import (  # noqa: F401 - they register verbs
    data,
    explaining,
    learning,
    review,
    whatif,
    workbench,
)
from core.commands.base import app

__all__ = ["app", "main"]


def main() -> NoReturn:
    """Run the command line as a process of its own."""
    code = 0
    try:
        app()
    except SystemExit as ended:
        code = int(ended.code or 0)
    sys.stdout.flush()
    sys.stderr.flush()
    # DuckDB's bindings print pages of leak warnings when Python tears down after shap was loaded.
    os._exit(code)


if __name__ == "__main__":
    main()
