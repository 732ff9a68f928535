"""Writes the first iteration of a new task, with windows for negatives that fit its catalogue."""

from pathlib import Path

from shared.artifacts.files import write_text
from shared.settings.load import ITERATIONS
from shared.task.current import find_task
from shared.task.folds import labels_of

TEXT = """\
# Iteration 0 of the task {task}, with the smallest models on two CPU cores: all-MiniLM-L6-v2 retrieves, the first 6 of
# SmolLM2-135M's 30 layers rerank. On a GPU, leave out [machine] and take models/smollm2-135m as the reranker's base.

task = "{task}"

[machine]
device = "cpu"
processes = 2
profile = "cpu_bf16"

[miner]
base = "models/minilm"
pooling = "mean"
dtype = "float32"
query_tokens = 510   # the model has 512 positions, and two of them frame a text

[embedder]
base = "models/minilm"
pooling = "mean"
dtype = "float32"
query_tokens = 254

[reranker]
base = "models/smollm2-135m-6"
query_tokens = 192
passage_tokens = 64

[mine_for_embedder]   # the catalogue's {entries} entries bound these windows
engine = "hf"
lowest = {lowest}
highest = {highest}
count = {count}

[train_embedder]
micro_tokens = 8192
epochs = 2
batch = 32
group = {group}
rate = 5e-4
temperature = 0.03
lora = {{targets = ["query", "key", "value", "dense"]}}

[merge_embedder]
epoch = 2

[mine_for_reranker]
engine = "hf"
lowest = {lowest}
highest = {highest}
count = {count}

[train_reranker]
micro_tokens = 4096
epochs = 2
batch = 16
group = {group}
rate = 1e-3
depth = {depth}

[merge_reranker]
epoch = 2

[evaluate]
engine = "hf"
pool = {pool}
depth = {depth}
extra = 0   # scored for `./just calibrate`: more where the catalogue has entries that nobody labelled
"""
ROOMY = 50  # entries from which on the first two ranks can be left to right answers that nobody labelled


def write_iteration(name: str, folder: Path) -> Path:
    """The new file training/iterations/NAME0/params.toml for the task of that name, whose files are in `folder`.

    Raises ValueError where the file is there already, and where the task's files are wrong, as check-data says.
    """
    path = ITERATIONS / f"{name}0" / "params.toml"
    if path.exists():
        raise ValueError(f"{path} is there already: change it, or give the task another name")
    task = find_task(name)
    data = task.read(folder)
    assert data.train is not None  # it is read unless somebody says otherwise
    labels = labels_of(data.train)
    entries, seen = len(data.misconceptions), labels["misconception_id"].n_unique()
    most = labels.group_by("query_id").len()["len"].max()
    lowest = 2 if seen >= ROOMY else 0
    count = max(min(15, round(0.7 * seen) - most - lowest), 1)  # a split holds some entries out
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(
        path,
        TEXT.format(
            task=name,
            entries=entries,
            lowest=lowest,
            highest=min(100, max(seen, lowest + 1)),
            count=count,
            group=min(6, count + 1),
            depth=min(10, entries),
            pool=min(200, entries),
        ),
    )
    return path
