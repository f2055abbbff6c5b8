"""What all verbs of the command line share: options, answers, refusals."""

import functools
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from core.errors import SpoorError

app = typer.Typer(
    help="Spoor: from a behaviour log to reviewed cases.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)

HomeOption = Annotated[
    Path | None,
    typer.Option("--home", help="Folder of the workbench (default: $SPOOR_HOME or .spoor)."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
AnalystOption = Annotated[str, typer.Option("--analyst", help="Who does this.")]
SeedOption = Annotated[int, typer.Option("--seed", help="Seed of everything random.")]


def verb(name: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register a command that answers a `SpoorError` with one line and exit code 1."""

    def register(function: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(function)
        def refusing(*args: Any, **kwargs: Any) -> None:
            try:
                function(*args, **kwargs)
            except SpoorError as error:
                typer.echo(f"spoor: {error}", err=True)
                raise typer.Exit(1) from error

        return app.command(name)(refusing)

    return register


def answer(result: dict[str, Any], as_json: bool) -> None:
    """Print a result for a program or for a person."""
    if as_json:
        typer.echo(json.dumps(result, default=str, ensure_ascii=False))
        return
    for key, value in result.items():
        if isinstance(value, list | dict):
            value = json.dumps(value, default=str, ensure_ascii=False, indent=2)
        typer.echo(f"{key}: {value}")


def told(share: float, message: str) -> None:
    """Show progress on standard error, where somebody is looking."""
    if sys.stderr.isatty():
        typer.echo(f"\r\033[K{share:4.0%} {message}", err=True, nl=share >= 1)
