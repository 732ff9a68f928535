"""The commands about a task's files: check them, and write a first version of a definition for new ones."""

from pathlib import Path

from shared.counted import count
from shared.settings.arguments import Arguments, callers_path


def check_data(said: Arguments) -> int:
    """Check the files of a task in a folder.

    Each of them is printed with its number of rows, or what is wrong with it is.
    """
    from shared.settings.data import Prepare
    from shared.task.current import TASK, use

    task = use(said.options.get("task", TASK.name))
    usual = task.defaults.get("prepare", {}).get("competition", Prepare().competition)
    folder = callers_path(said.options["path"]) if "path" in said.options else Path(usual)
    for name, rows, note in task.check(folder):
        print(f"{folder / name}  {count(rows, 'row')}, {note or 'nothing wrong'}")
    return 0


def new_task(said: Arguments) -> int:
    """Write a first version of a task's definition, and its first iteration.

    The files in a folder are looked at, and every guess is printed. docs/tasks.md says what comes next.
    """
    from shared.task.files.guess import write_definition
    from training.run_folder.new.first_iteration import write_iteration

    folder = callers_path(said.options["from"])
    if not folder.is_dir():
        raise ValueError(f"from={folder}: there is no such folder; name the one that holds your files")
    path, guesses = write_definition(said.options["name"], folder)
    for guess in guesses:
        print(f"guessed: {guess}")
    print(f"written to {path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path}: look at every line")
    print(f"written to {write_iteration(path.stem, folder)}: the smallest models, for two CPU cores")
    print(f"what comes next: ./just check-data task={path.stem}, and then ./just train iter={path.stem}0")
    return 0
