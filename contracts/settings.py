"""Typed settings, read once from the environment at the edge; nothing below reads `os.environ`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from contracts.errors import ConfigError
from contracts.roles import Role
from contracts.source_names import SOURCES

_A_LIST = 'a list as JSON, for example ["tuva"]'
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
        try:
            home = value.expanduser().resolve()
            is_other = home.exists() and not home.is_dir()
        except (RuntimeError, OSError):  # `~name` of nobody; a folder that this user may not look into
            is_other = True
        if is_other:
            raise ValueError("a folder")
        return home

    @field_validator("nightly_sources")
    @classmethod
    def _known_sources(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not set(value) <= set(SOURCES):
            raise ValueError(f"a list as JSON, of {', '.join(SOURCES)}")
        return value

    @field_validator("engine_memory")
    @classmethod
    def _heap(cls, value: str) -> str:
        if re.fullmatch(r"[1-9][0-9]*[kmg]", value, re.IGNORECASE) is None:
            raise ValueError("a whole number with m or g, for example 3g")
        return value

    @field_validator("member_id_system")
    @classmethod
    def _absolute_uri(cls, value: str) -> str:
        # https://hl7.org/fhir/R4/datatypes.html#Identifier: the system is an absolute URI
        if re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s\x00-\x1f]+", value) is None:
            raise ValueError("an absolute URI without blanks, for example https://plan.example/member")
        return value

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError):
            raise ValueError("an IANA zone, for example America/New_York") from None
        return value

    def today(self) -> date:
        """The date now in the plan's time zone."""
        return self.day_of(datetime.now(UTC))

    def day_of(self, moment: datetime) -> date:
        """The date of a moment, which knows its zone, in the plan's."""
        return moment.astimezone(ZoneInfo(self.timezone)).date()

    def made_home(self) -> Path:
        """The state folder; where it is not there it is made, closed to others, since members' data come into it.

        To be called before a folder within is made with its parents, which would leave this one open.

        Raises:
            ConfigError: it cannot be made.
        """
        try:
            self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(
                f"The state folder {self.home} cannot be made ({type(error).__name__}).",
                expected="a folder, or a place where this user may make one",
                todo=f"set {setting_name('home')} to another.",
            ) from None
        return self.home

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
    """The process's settings, read on first use: the environment, then `<home>/settings.env`, then defaults.

    Raises:
        ConfigError: a setting is not allowed; the message says which, where it was set, and what is.
    """
    file, place = None, "set in the environment"
    try:
        found = Settings()
        file = found.settings_file
        if not file.exists():
            return found
        place = f"set in {file}"
        return Settings(_env_file=file)
    except ValidationError as error:
        raise ConfigError(" ".join(_refusal(each, place) for each in error.errors(include_url=False))) from None
    except SettingsError as error:
        field = re.search(r'field "(\w+)"', str(error))
        name = setting_name(field[1]) if field else "A setting"
        raise ConfigError(f"{name} cannot be read ({place}): give {_A_LIST}.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} cannot be read ({type(error).__name__}).", expected="a text file in UTF-8") from None


def setting_name(field: str) -> str:
    """What sets a field: `OUTREACH_<FIELD>`, or a name that other programs use too."""
    alias = Settings.model_fields[field].validation_alias
    return alias if isinstance(alias, str) else f"OUTREACH_{field.upper()}"


def _refusal(error: Mapping[str, Any], place: str) -> str:
    """One sentence on a value that a field does not take."""
    key = str(error["loc"][0])
    field = next((field for field in Settings.model_fields if key in (field, setting_name(field))), key)
    name = setting_name(field)
    return f"{name}={error['input']} is not allowed ({place}): give {_allowed(field, error)}."


def _allowed(field: str, error: Mapping[str, Any]) -> str:
    """What a field takes, in words."""
    context = error.get("ctx", {})
    if error["type"] == "value_error":
        return str(context["error"])
    if error["type"] == "enum":
        return str(context["expected"]).replace("'", "")
    info = Settings.model_fields[field]
    if info.annotation is bool:
        return "true or false"
    if info.annotation is int:
        low = next((limit.ge for limit in info.metadata if hasattr(limit, "ge")), None)
        high = next((limit.le for limit in info.metadata if hasattr(limit, "le")), None)
        return "a whole number" if low is None else f"a whole number from {low} to {high}"
    return _A_LIST if isinstance(info.default, tuple) else str(error["msg"]).removeprefix("Input should be ")
