"""Where Spoor keeps things: read once from the environment."""

from pathlib import Path

from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """``SPOOR_HOME`` and ``SPOOR_DATABASE_URL``; the database defaults to SQLite in the home."""

    model_config = SettingsConfigDict(env_prefix="SPOOR_")

    home: Path = Path(".spoor")
    database_url: str | None = None
