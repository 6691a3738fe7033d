"""Where the embedded engine keeps its state, all under `<home>/engine` (0700)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from contracts.settings import Settings, settings


@dataclass(frozen=True)
class EnginePaths:
    """Files and folders of one engine; nothing here is created by merely naming it."""

    root: Path

    @property
    def state(self) -> Path:
        """Pid, port and versions; written only once the server answers."""
        return self.root / "engine.json"

    @property
    def launching(self) -> Path:
        """Pid of a server that was launched but has not answered yet."""
        return self.root / "launching.json"

    @property
    def token(self) -> Path:
        return self.root / "token"

    @property
    def lock(self) -> Path:
        return self.root / "lock"

    @property
    def log(self) -> Path:
        return self.root / "engine.log"

    @property
    def previous_log(self) -> Path:
        """The log of the engine before, which may have crashed."""
        return self.root / "engine.previous.log"

    @property
    def console(self) -> Path:
        """What the JVM writes before its logging is up, and its last words."""
        return self.root / "console.log"

    @property
    def conf(self) -> Path:
        """`spark-defaults.conf` and `log4j2.properties` of the running server."""
        return self.root / "conf"

    @property
    def metastore(self) -> Path:
        return self.root / "metastore"

    @property
    def scratch(self) -> Path:
        """Shuffle files, artifacts, temporary files: emptied on every start."""
        return self.root / "scratch"

    @property
    def ivy(self) -> Path:
        return self.root / "ivy"

    def prepare(self) -> None:
        """Create the folders, readable by their owner only."""
        self.root.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in (self.root, self.conf, self.metastore, self.scratch):
            folder.mkdir(mode=0o700, exist_ok=True)
            folder.chmod(0o700)


def engine_paths(config: Settings | None = None) -> EnginePaths:
    """The paths of the engine that the settings name."""
    return EnginePaths((config or settings()).engine_dir)
