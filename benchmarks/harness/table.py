"""Prints a stage's results: rate, how many times each peer's, share of the arithmetic floor, memory."""

from rich.console import Console
from rich.table import Table

from benchmarks.harness.results import OURS, Benchmark, Result, compare, share_of_floor


def print_table(stage: Benchmark, results: list[Result]) -> None:
    """One row for each arm; in the rows of ours, how many times a peer's rate as the seed ran it, and at its best."""
    peers = sorted({result.arm.side for result in results} - {OURS})
    table = Table("side", "setting", "items/s", title=f"{stage.name}, {stage.about['shape']}, {stage.about['device']}")
    for peer in peers:
        table.add_column(f"x {peer}\nseed / best", justify="right")
    for name in ("of floor", "GiB", "seconds (passes)", "checks"):
        table.add_column(name)
    for result in results:
        table.add_row(*_cells(stage, results, result, peers))
    Console(width=180).print(table)


def _cells(stage: Benchmark, results: list[Result], result: Result, peers: list[str]) -> list[str]:
    known = [result.arm.side, result.arm.setting]
    if not result.seconds:
        return [*known, "-", *[""] * len(peers), "", "", "", result.said]
    times = compare(results, result) if result.arm.side == OURS else {}
    checks = " ".join(f"{name} {value:.4g}" for name, value in result.checks.items())
    return [
        *known,
        f"{result.rate:.2f}",
        *(
            " / ".join(f"{times[peer][at]:.2f}" for at in ("seed", "best") if at in times.get(peer, ()))
            for peer in peers
        ),
        f"{share_of_floor(stage, result, result.median):.1%}",
        f"{result.peak_gib:.1f}",
        f"{result.median:.3f} ({len(result.seconds)})",
        f"{checks} {result.said}",
    ]
