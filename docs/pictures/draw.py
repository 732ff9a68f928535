"""Draws the documents' pictures again, from the code and from measured files.

python -m docs.pictures.draw
"""

from pathlib import Path

from docs.pictures.anytime import anytime
from docs.pictures.forest import forest
from docs.pictures.peers import peers
from docs.pictures.pipeline import pipeline

FOLDER = Path(__file__).parent
PICTURES = {"pipeline.svg": pipeline, "prefix_forest.svg": forest, "peers.svg": peers, "anytime.svg": anytime}


def draw_all(folder: Path = FOLDER) -> None:
    """Write every picture into `folder`."""
    for name, picture in PICTURES.items():
        (folder / name).write_text(picture(), encoding="utf-8")


if __name__ == "__main__":
    draw_all()
