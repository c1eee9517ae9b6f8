"""Binaries into place: staging folder, layout, one transaction for each crate, and the records of it."""
