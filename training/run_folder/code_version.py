"""Says which code runs: git's commit where there is git, and a digest of the code itself everywhere."""

import hashlib
import subprocess
from pathlib import Path

from shared.artifacts.lineage import Lineage

ROOT = Path(__file__).parents[2]
CODE = ("shared", "inference", "training")  # what a stage can run
KINDS = {".py", ".toml"}


def code_version(root: Path = ROOT) -> dict:
    """{"commit": of git, "" without it, "dirty": whether the code differs from that commit, "code": its SHA-256}.

    Without git, as in an unpacked archive, `dirty` is False and two runs of the same code still agree in `code`.
    """
    top = _git(root, "rev-parse", "--show-toplevel")
    inside = top is not None and Path(top) == root.resolve()  # not a repository that merely lies around an archive
    commit = _git(root, "rev-parse", "--verify", "HEAD") if inside else None
    changed = commit and _git(root, "status", "--porcelain", "--", *CODE)
    return {"commit": commit or "", "dirty": bool(changed), "code": _digest(root)}


def short_version(lineage: Lineage) -> str:
    """`8d92255`, `8d92255+` with uncommitted changes, `code 3fa91c2` without git; "" where neither was recorded."""
    if lineage.commit:
        return lineage.commit[:7] + ("+" if lineage.dirty else "")
    return f"code {lineage.code[:7]}" if lineage.code else ""


def _git(root: Path, *arguments: str) -> str | None:
    """What git prints, None where there is no git or it refuses."""
    try:
        done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True)
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _digest(root: Path) -> str:
    total = hashlib.sha256()
    for path in sorted(path for folder in CODE for path in (root / folder).rglob("*") if path.suffix in KINDS):
        total.update(f"{path.relative_to(root).as_posix()}\0{path.stat().st_size}\0".encode() + path.read_bytes())
    return total.hexdigest()
