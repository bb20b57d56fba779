"""What the built app weighs and whom it would talk to."""

import gzip
import json
from pathlib import Path

FIRST_VIEW_MAX_BYTES = 200_000


def test_the_first_view_is_light(dist: Path) -> None:
    manifest = json.loads((dist / ".vite" / "manifest.json").read_text())
    wanted = [name for name, chunk in manifest.items() if chunk.get("isEntry")]
    files: set[str] = set()
    while wanted:
        chunk = manifest[wanted.pop()]
        if chunk["file"] not in files:
            files.add(chunk["file"])
            wanted += chunk.get("imports", [])
    total = sum(len(gzip.compress((dist / name).read_bytes())) for name in files)
    assert 50_000 < total < FIRST_VIEW_MAX_BYTES


def test_the_app_names_no_other_host(dist: Path) -> None:
    for path in dist.rglob("*.js"):
        text = path.read_text()
        for stranger in ("stun:", "googleapis", "cdn."):
            assert stranger not in text, path.name


def test_pages_run_no_inline_script(dist: Path) -> None:
    html = (dist / "index.html").read_text()
    assert "<script" in html
    assert all("src=" in part.split(">")[0] for part in html.split("<script")[1:])
