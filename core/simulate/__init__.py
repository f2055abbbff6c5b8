"""A plausible shop, and abuse that can be planted into any log: for demonstration and tests."""

from core.simulate.demo import demonstration, write_demonstration
from core.simulate.injecting import inject
from core.simulate.schemes import SCHEMES
from core.simulate.shop import simulate_shop

__all__ = ["SCHEMES", "demonstration", "inject", "simulate_shop", "write_demonstration"]
