"""From a manifest and this machine's targets to the package that exists."""
