"""`make vendor`: fetches what the console's pages are made of, into static/vendor/, with versions and digests.

Nothing is loaded from another host, and nothing is built: these are the published minified files.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

FOLDER = Path(__file__).with_name("static") / "vendor"
MANIFEST = FOLDER / "versions.json"
#: Package and version on npm; file in the package → name here. htmx 4 drops the CSRF header that `hx-headers` sets.
PACKAGES = {
    "htmx.org@2.0.11": {"dist/htmx.min.js": "htmx.min.js"},
    "@tabler/core@1.6.1": {"dist/css/tabler.min.css": "tabler.min.css"},
    "echarts@6.1.0": {
        "dist/echarts.common.min.js": "echarts.common.min.js",
        "LICENSE": "echarts.LICENSE",
        "NOTICE": "echarts.NOTICE",
    },
}


def fetch() -> None:
    """Pack every package with npm, take its files out, write the manifest."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    files: dict[str, dict[str, str]] = {}
    for package, wanted in PACKAGES.items():
        for inside, name in wanted.items():
            raw = _file(package, inside)
            (FOLDER / name).write_bytes(raw)
            files[name] = {"package": package, "file": inside, "sha256": hashlib.sha256(raw).hexdigest()}
    MANIFEST.write_text(json.dumps(files, indent=2) + "\n", "utf-8")


def _file(package: str, inside: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        packed = subprocess.run(  # noqa: S603
            ["npm", "pack", "--silent", package],  # noqa: S607
            cwd=folder, check=True, capture_output=True, text=True,
        )  # fmt: skip
        with tarfile.open(Path(folder) / packed.stdout.split()[-1]) as archive:
            found = archive.extractfile(f"package/{inside}")
            if found is None:
                raise FileNotFoundError(inside)
            return _without_map(found.read())


def _without_map(raw: bytes) -> bytes:
    """Maps are not vendored, and a browser's tools would ask for them."""
    kept = [line for line in raw.splitlines(keepends=True) if b"sourceMappingURL=" not in line[-200:]]
    return b"".join(kept)


def damaged() -> list[str]:
    """The files that are not what the manifest says."""
    manifest = json.loads(MANIFEST.read_text("utf-8"))
    return [
        name
        for name, told in manifest.items()
        if hashlib.sha256((FOLDER / name).read_bytes()).hexdigest() != told["sha256"]
    ]


if __name__ == "__main__":
    fetch()
    sys.stdout.write(f"{MANIFEST.read_text('utf-8')}")
