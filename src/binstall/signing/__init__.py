"""Judging downloaded files, and the publisher's half: keys and signatures."""
