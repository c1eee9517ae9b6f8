"""Reading packages and crates: strangers' archives, of which only the wanted binaries reach the disk."""
