"""Text and bytes to frozen values and back; pure: no files, no network, no clock."""
