"""Run every `bench_*.py` beside this file, or those named, and exit with 1 if a promise is missed."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

from ratio import print_rows


def main() -> int:
    names = sys.argv[1:] or sorted(path.stem for path in Path(__file__).parent.glob("bench_*.py"))
    return max(print_rows(importlib.import_module(name).main()) for name in names)


if __name__ == "__main__":
    sys.exit(main())
