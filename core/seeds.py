"""Which seeds everything random takes."""

from typing import Final

from core.errors import BadInput

LARGEST_SEED: Final = 2**31 - 1  # with a training's step it makes up a seed of 64 bits


def check_seed(seed: int) -> None:
    """Raise `BadInput` if `seed` is none."""
    if not 0 <= seed <= LARGEST_SEED:
        raise BadInput(f"{seed} is no seed. Accepted: a whole number from 0 to {LARGEST_SEED:,}.")
