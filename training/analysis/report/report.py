"""Prints what a run cost and reached, and writes its report.html."""

from training.analysis.report.page import write_page
from training.analysis.report.terminal import print_report
from training.run_folder.names import Target


def report(target: Target) -> int:
    """Print the stages and figures of a run, and of those before it; write the run's report.html."""
    from training.pipeline.chain import resolve

    if target.run in print_report([run for run, _ in resolve(target)]):
        print(f"written to {write_page(target.run)}")
    else:
        print(f"no report.html: {target.run} has no finished stage yet")
    return 0
