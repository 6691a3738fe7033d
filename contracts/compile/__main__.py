"""`python -m contracts.compile [dbt] [dictionary]`: write the files that are rendered from the contracts."""

from __future__ import annotations

import sys
from pathlib import Path

from contracts.compile import dbt_yml, dictionary

_TARGETS = {"dbt": dbt_yml.write, "dictionary": dictionary.write}


def main(arguments: list[str]) -> int:
    """Write the targets named (all where none is named); 2 for a name that is none."""
    unknown = [name for name in arguments if name not in _TARGETS]
    if unknown:
        print(f"no target {', '.join(unknown)}; there is: {', '.join(_TARGETS)}", file=sys.stderr)
        return 2
    root = Path(__file__).resolve().parents[2]
    for name in arguments or _TARGETS:
        for path in _TARGETS[name](root):
            print(path.relative_to(root))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
