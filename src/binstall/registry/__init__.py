"""Where a crate's manifest comes from: a sparse index and its `.crate` files, or a `Cargo.toml` on disk."""
