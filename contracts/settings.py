"""Typed settings, read once from the environment at the edge; nothing below reads `os.environ`."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from contracts.roles import Role

_CHECKOUT = Path(__file__).resolve().parents[1]


def _default_home() -> Path:
    """`.outreach` in the checkout, or in the working folder when installed as a wheel."""
    root = _CHECKOUT if (_CHECKOUT / "pyproject.toml").exists() else Path.cwd()
    return root / ".outreach"


class Settings(BaseSettings):
    """One frozen object per process. Each field can be set as `OUTREACH_<FIELD>`."""

    model_config = SettingsConfigDict(env_prefix="OUTREACH_", frozen=True, extra="ignore", populate_by_name=True)

    home: Path = Field(default_factory=_default_home, description="State folder: warehouse, engine, runs, models.")
    warehouse: str | None = Field(None, description="URL or path of the Delta warehouse; default `<home>/warehouse`.")
    spark_remote: str | None = Field(
        None, validation_alias="SPARK_REMOTE", description="Any Spark Connect URL; unset: the embedded engine."
    )
    engine_memory: str = Field("3g", description="Heap of the embedded engine's JVM.")
    timezone: str = Field("America/New_York", description="IANA zone in which a night's date is meant.")
    nightly_sources: tuple[str, ...] = Field(("tuva",), description="Sources that the nightly schedule runs for.")
    seed: int = Field(20260101, description="Root of every random draw.")
    auto_approve: bool = Field(False, description="Promote a model whose gates passed without a human (the demo does).")
    member_id_system: str = Field(
        "urn:outreach:member", description="URI of the numbering that member ids belong to, for FHIR."
    )
    jdbc_port: int = Field(10000, ge=1, le=65535, description="Loopback port of the door for BI tools.")
    role: Role = Field(Role.ANALYST, description="What may be read through `outreach sql` and `explain`, and how.")

    openlineage_url: str | None = Field(
        None, validation_alias="OPENLINEAGE_URL", description="Lineage receiver, e.g. Marquez; unset: files only."
    )
    openlineage_api_key: SecretStr | None = Field(
        None, validation_alias="OPENLINEAGE_API_KEY", description="Sent to the receiver as a bearer token."
    )
    openlineage_namespace: str = Field(
        "outreach", validation_alias="OPENLINEAGE_NAMESPACE", description="Namespace of datasets and jobs in lineage."
    )
    openlineage_disabled: bool = Field(
        False, validation_alias="OPENLINEAGE_DISABLED", description="Emit no lineage at all."
    )

    @field_validator("home")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().resolve()

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        ZoneInfo(value)
        return value

    @property
    def warehouse_url(self) -> str:
        return self.warehouse or str(self.home / "warehouse")

    @property
    def landing(self) -> Path:
        """Inbox watched by the file-arrival sensor: `<landing>/<source>/...`."""
        return self.home / "landing"

    @property
    def parked(self) -> Path:
        """Files that could not be read, each beside a `.reason.json`."""
        return self.home / "parked"

    @property
    def engine_dir(self) -> Path:
        """Port, pid, token, lock and log of the embedded engine (0700)."""
        return self.home / "engine"

    @property
    def jdbc_dir(self) -> Path:
        """Logins, process record and log of the door for BI tools (0700)."""
        return self.home / "jdbc"

    @property
    def settings_file(self) -> Path:
        """`OUTREACH_<FIELD>=value` lines that hold for this state folder; the environment wins."""
        return self.home / "settings.env"

    @property
    def dagster_home(self) -> Path:
        return self.home / "dagster"

    @property
    def mlflow_dir(self) -> Path:
        return self.home / "mlflow"

    @property
    def models_dir(self) -> Path:
        return self.home / "models"

    @property
    def reports_dir(self) -> Path:
        return self.home / "reports"

    @property
    def lineage_dir(self) -> Path:
        return self.home / "lineage"


@cache
def settings() -> Settings:
    """The process's settings, read on first use: the environment, then `<home>/settings.env`, then defaults."""
    file = Settings().settings_file
    return Settings(_env_file=file) if file.exists() else Settings()
