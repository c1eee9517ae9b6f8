"""An embedded sparse registry and release host: loopback only, real TLS, listed files only."""
