"""The publisher's side: keys, signatures, stamps, and the check before a release. Prints and asks nothing."""
