"""`python -m binstall`."""

from binstall.cli.app import main

if __name__ == "__main__":
    raise SystemExit(main())
