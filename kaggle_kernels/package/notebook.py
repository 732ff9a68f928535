"""Writes kernel.ipynb from kernel.py: nobody edits the notebook that runs on Kaggle."""

from pathlib import Path

import nbformat

KERNEL = Path(__file__).parents[1] / "submit" / "kernel.py"


def make_notebook(source: str) -> str:
    """A notebook of one cell that holds `source`; the same bytes every time."""
    cell = nbformat.v4.new_code_cell(source.strip(), id="kernel")
    metadata = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    return nbformat.writes(nbformat.v4.new_notebook(cells=[cell], metadata=metadata)) + "\n"


if __name__ == "__main__":
    KERNEL.with_suffix(".ipynb").write_text(make_notebook(KERNEL.read_text(encoding="utf-8")), encoding="utf-8")
