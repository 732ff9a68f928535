"""Draws the stages of an iteration and what each reads, in a terminal."""

from training.pipeline.stages import STAGES, Stage

BRANCH = "◄── "


def draw() -> int:
    """Print the drawing."""
    print("\n".join(drawing()))
    return 0


def drawing() -> list[str]:
    """A line for every stage, in their order, with what it reads beside the stage above it."""
    stages, width = list(STAGES.values()), max(map(len, STAGES)) + 2
    lines, above = ["the task's files"], ""
    for stage in stages:
        beside = _reads(stage, above)
        name = f"[{stage.name}]" if stage.taught or stage.asked_for or stage.writes else stage.name
        lines += ["   │", f"   {name:<{width}} {BRANCH + ', '.join(beside) if beside else ''}".rstrip()]
        above = stage.name
    return [
        *lines,
        "",
        "Every stage reads what the one above it made, and the folds of prepare where it reads questions.",
        "[explain], [describe]: only with a writer; then all that reads questions or misconceptions reads their texts.",
        "[train_writer], [merge_writer]: only where a writer learns from a teacher; merged in split full alone.",
        "[teach_...]: only where there is a previous iteration. [quantize_...]: only when asked for.",
    ]


def _reads(stage: Stage, above: str) -> list[str]:
    reads = []
    for need in stage.needs:
        if need.written:
            continue
        if need.of_previous:
            reads.append(f"{need.stage} of the previous iteration")
        elif need.in_first:
            reads += [] if need.stage == above else [f"{need.stage} (in a first iteration {need.in_first})"]
        elif need.stage not in (above, "prepare"):
            reads.append(need.stage)
    if stage.name == "mine_for_embedder":
        reads.append("in a first iteration the [miner]")
    return reads
