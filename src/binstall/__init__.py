"""Install prebuilt, signed release binaries of Rust crates; sign and publish your own."""

__version__ = "0.1.0"
