"""Every bound, in one file, unit in the name. `docs/limits.md` lists them; a test keeps the two equal.

A bound is refused in words that name it: "more than 16384 bytes (MAX_SIGNATURE_BYTES)".
"""

from __future__ import annotations

from typing import Final

KIB: Final = 1024
MIB: Final = 1024 * KIB
GIB: Final = 1024 * MIB

# Network answers.
MAX_CONFIG_JSON_BYTES: Final = 64 * KIB
MAX_INDEX_BYTES: Final = 32 * MIB
MAX_CRATE_BYTES: Final = 512 * MIB
MAX_SIGNATURE_BYTES: Final = 16_384
MAX_PACKAGE_BYTES: Final = 8 * GIB
MAX_REDIRECTS: Final = 10
MAX_URL_CHARACTERS: Final = 8192

# Time.
CONNECT_TIMEOUT_SECONDS: Final = 15.0
IDLE_TIMEOUT_SECONDS: Final = 30.0
MAX_RETRY_WAIT_SECONDS: Final = 60.0

# Manifest and other text.
MAX_MANIFEST_BYTES: Final = 4 * MIB
MAX_CRATE_MEMBERS: Final = 200_000
MAX_METADATA_STRING_CHARACTERS: Final = 4096
MAX_NAME_CHARACTERS: Final = 255
MAX_TEMPLATE_CHARACTERS: Final = 4096
MAX_VERSION_CHARACTERS: Final = 256
MAX_TARGET_CHARACTERS: Final = 128
MAX_CARGO_CONFIG_BYTES: Final = 4 * MIB
MAX_TRACKING_BYTES: Final = 64 * MIB

# Archives.
MAX_ARCHIVE_MEMBERS: Final = 200_000
MAX_MEMBER_NAME_BYTES: Final = 4096
MAX_BINARY_BYTES: Final = 4 * GIB
MAX_UNPACKED_BYTES: Final = 16 * GIB
RATIO_FREE_BYTES: Final = 256 * MIB
MAX_UNPACK_RATIO: Final = 200
MAX_XZ_MEMORY_BYTES: Final = 256 * MIB
MAX_ZSTD_WINDOW_LOG: Final = 27

CHUNK_BYTES: Final = 1 * MIB
