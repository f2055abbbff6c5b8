"""Where Spoor keeps things: read once from the environment."""

from pathlib import Path

from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """``SPOOR_HOME``, ``SPOOR_DATABASE_URL`` (default: SQLite in the home) and ``SPOOR_DEVICE``."""

    model_config = SettingsConfigDict(env_prefix="SPOOR_")

    home: Path = Path(".spoor")
    database_url: str | None = None
    device: str | None = None  # cpu, cuda or cuda:1; None: the GPU if there is one
