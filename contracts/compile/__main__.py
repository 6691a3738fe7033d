"""`python -m contracts.compile [dbt] [odcs] [docs] [dictionary]`: write the files that are rendered from the contracts."""

from __future__ import annotations

import sys
from pathlib import Path

from contracts.compile.render import write
from contracts.errors import ConfigError

ROOT = Path(__file__).resolve().parents[2]


def main(arguments: list[str]) -> int:
    """Write the targets named (all where none is named); 2 for a name that is none."""
    try:
        paths = write(ROOT, arguments)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return int(error.exit_code)
    print(f"{len(paths)} files rendered")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
