"""Draws the stages of an iteration and what each reads, in a terminal."""

from pathlib import Path

from shared.artifacts.lineage import read_lineage
from training.pipeline.ahead.survey import survey
from training.pipeline.chain import resolve
from training.pipeline.stages import STAGES, TEACHERS, Stage
from training.run_folder.names import Target

BRANCH = "◄── "


def draw(target: Target | None) -> int:
    """Print the drawing; of a run, with what becomes of each of its stages, and without those that it has not."""
    print("\n".join(drawing(_states(target) if target else {})))
    return 0


def drawing(states: dict[str, str]) -> list[str]:
    """A line for every stage, in their order, with what it reads beside the stage above it; `states` are of a run's."""
    stages, width = list(STAGES.values()), max(map(len, STAGES)) + 2
    lines, above, wide = ["the task's files"], "", max(map(len, states.values()), default=-1) + 1
    for stage in [stage for stage in stages if not states or stage.name in states]:
        beside = _reads(stage, above)
        sometimes = stage.taught or stage.asked_for or stage.writes or stage.name == TEACHERS
        name = f"[{stage.name}]" if sometimes else stage.name
        state = f"{states.get(stage.name, ''):<{wide}}"
        lines += ["   │", f"   {name:<{width}} {state}{BRANCH + ', '.join(beside) if beside else ''}".rstrip()]
        above = stage.name
    return [
        *lines,
        "",
        "Every stage reads what the one above it made, and the folds of prepare where it reads questions.",
        "[explain], [describe]: only with a writer; then all that reads questions or misconceptions reads their texts.",
        "[train_writer], [merge_writer]: only where a writer learns from a teacher; merged in split full alone.",
        "[teach_...]: only where there is a previous iteration, or where [train_teachers] makes teachers, which may",
        "also stand in place of merge_reranker of the previous iteration. [quantize_...]: only when asked for.",
    ]


def _states(target: Target) -> dict[str, str]:
    """{stage: what becomes of it} of the target's own run."""
    found = {}
    for step in survey(resolve(target)):
        if step.run == target.run:
            shared = "" if step.reasons else read_lineage(step.out).shared_with
            done = f"done, that of {Path(shared).parents[1].name}" if shared else "done"
            link = f"to link from {step.source.parents[1].name}" if step.source else "to run"
            found[step.stage.name] = link if step.reasons else done
    return found


def _reads(stage: Stage, above: str) -> list[str]:
    reads = []
    for need in stage.needs:
        if need.written or need.teacher not in ("", "previous"):
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
