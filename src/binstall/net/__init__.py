"""Bytes from the network: one HTTP client behind one seam, and the transfers that use it."""
