"""Guards draw.py: every stage is in the drawing, in the order in which it runs."""

from training.pipeline.ahead.draw import drawing
from training.pipeline.stages import STAGES


def test_the_drawing_has_every_stage_in_its_order_and_says_what_comes_from_the_iteration_before():
    lines = [line for line in drawing({}) if line.startswith("   ") and "│" not in line]
    names = [line.split()[0].strip("[]") for line in lines]
    assert names == list(STAGES)
    assert lines[names.index("mine_for_embedder")].endswith(
        "◄── merge_embedder of the previous iteration, in a first iteration the [miner]"
    )
