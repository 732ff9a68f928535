"""Holds the settings of what is prepared, mined and taught before a model is trained."""

from typing import Annotated, Literal

from pydantic import Field

from shared.settings.section import Count, Engine, Positive, Section, Share


class Iteration(Section):
    """The iteration's place in the chain."""

    previous: str = ""
    """The iteration whose embedder mines for this one and whose reranker teaches it. It is empty in iteration 0."""


class Machine(Section):
    """Where training runs; nothing here changes a result beyond rounding, so nothing here makes a stage run again."""

    device: Literal["cuda", "cpu"] = "cuda"
    """What trains."""
    processes: Annotated[int, Field(ge=0)] = 0
    """How many processes train together. Zero means one for each GPU."""
    threads: Count = 1
    """Threads of each process on a CPU."""
    stall_seconds: Positive = 900.0
    """Seconds after which processes that train together are ended when none of them comes any further: loading and
    compiling a large model has to fit in. One that shows no life at all is noticed after 20 s on a CPU, 120 s on
    GPUs."""
    shard: bool = False
    """Whether a base model that one GPU cannot hold is spread over all of them (FSDP2) while it is trained."""
    nodes: Count = 1
    """How many machines train together, each started with the same command; `nodes=2` behind `train` says it, too."""
    rendezvous: Annotated[str, Field(pattern=r"^([^\s:]+:[0-9]{1,5})?$")] = ""
    """Where several machines meet: HOST:PORT, HOST being one of them, which then leads; `rendezvous=HOST:PORT` behind
    `train` says it, too. Who reaches the port can disturb the training: let only the machines' own network reach it."""
    tracker: Literal["off", "trackio", "wandb", "mlflow"] = "off"
    """Where the figures of a training go beside its folder; the one that is named has to be installed. Figures and the
    numbers among the settings are sent, no text and no path."""
    slurm: str = ""
    """Further words for `sbatch` with `on=slurm`, such as `--partition=gpu --gres=gpu:4 --time=12:00:00`."""
    profile: str = "h200"
    """The profile of the engines that mine, teach and evaluate, from `inference/machine/profiles.toml`."""


class Prepare(Section):
    """How the competition's files become rows with folds."""

    competition: str = "data/eedi"
    """The folder with the competition's CSV files."""
    held_out: Annotated[float, Field(gt=0, lt=1)] = 0.25
    """The share of the labelled misconceptions that is held out: a quarter makes about 74 % of the validation pairs
    unseen, as in the hidden test. With `split=questions` it is the share of the questions, as in most published CVs."""
    similar: Annotated[float, Field(gt=0, le=1)] = 0.75
    """Two questions whose runs of five words overlap by this share (Jaccard) stay in one fold. From 0.75 on, real
    questions share a story or a picture; below that they share a phrase such as "Round this number to"."""
    seed: str = "folds"
    """The seed of the splits cv and questions; cv2 uses "folds/2", and so on."""


class Mine(Section):
    """How the embedder's hard negatives are chosen."""

    engine: Engine = "vllm"
    """The engine that encodes: vLLM, or `hf`, our own on top of transformers."""
    lowest: Annotated[int, Field(ge=0)] = 2
    """The first rank, counted from 0, that a negative may come from: what stands before it is often the right answer
    that nobody labelled."""
    highest: Count = 200
    """The rank at which the choice ends; this rank itself is left out."""
    count: Count = 15
    """Negatives of a query, drawn without replacement."""
    random: Share = 0.0
    """The share of `count` that is drawn from all negatives behind `lowest`, wherever they stand: easy ones, beside
    which a student sees how far off a hard one is."""
    negatives: Literal["seen", "catalogue"] = "seen"
    """Where ranks and negatives come from: `seen` means the misconceptions that some training row carries. One that
    none carries could only ever be a wrong answer in training, while most of the hidden test's answers are such;
    leaving them out was the 6th place's largest gain."""
    kept: Count = 200
    """Candidates of a query that are kept, from the whole catalogue. They are the ranking called "miner" in
    evaluate."""
    seed: str = "mine"
    """The seed of the draw of negatives."""
    siblings: bool = False
    """Whether what is right for the other wrong answers of a question joins a query's negatives, behind the `count`
    others. What is right for the query itself never does. How often training takes them is its own `siblings`."""


class MineForReranker(Mine):
    """How the reranker's hard negatives are chosen."""

    highest: Count = 100
    """The rank at which the choice ends, which is nearer than the embedder's 200."""


class Teach(Section):
    """How a teacher scores the groups."""

    engine: Engine = "vllm"
    """The engine that scores: vLLM, or `hf`, our own on top of transformers."""
    teacher: Literal["previous", "previous_parts"] = "previous"
    """Who teaches: `previous` is the merged reranker of the iteration before, which has learnt these very rows;
    `previous_parts` are the rerankers of its `train_teachers`, each for the rows that it has not seen."""
    further: tuple[str, ...] = ()
    """Runs, such as `iter0@slow`, whose merged rerankers of the same split score as well. Every row has the mean of all
    scores, each teacher counting alike."""
    margin: float | None = None
    """A negative that the teacher scores higher than the right answer less this margin, in logits, is dropped: it may
    be right. Without this key none is. A teacher that has learnt the rows puts their right answers in front, so that
    this finds little without `previous_parts`."""
    least: Count = 15
    """Negatives that a query keeps in spite of `margin`: those with the lowest scores."""


class TeachReranker(Teach):
    """How a teacher scores the reranker's groups."""

    teacher: Literal["previous", "previous_parts", "own_parts"] = "previous"
    """Who teaches, as for the embedder; `own_parts` are the rerankers of this iteration's own `train_teachers`, so that
    it needs no iteration before it."""


class TrainTeachers(Section):
    """Rerankers that teach, each trained as `[reranker]` and `[train_reranker]` say, on labels alone, without a part
    of the misconceptions. Of the rows of that part it has read nothing that would tell it their answers, so what it
    says of them is worth what a reranker says of rows that are new to it."""

    parts: Annotated[int, Field(ge=0)] = 0
    """Parts of the labelled misconceptions, and so rerankers. Each learns nothing of its part: neither its rows nor
    those of their questions, nor its misconceptions as negatives. `0` trains none; `1` is a teacher of everything,
    which has learnt what it scores (self-distillation). Two learn from less than half of the rows each, since
    the questions of the other part go too (docs/teaching.md); more leave each more to learn, and cost a training
    each."""
    epochs: Annotated[int, Field(ge=0)] = 0
    """How often each goes through its groups; the last adapter teaches. Zero means as often as `train_reranker`."""
    seed: str = "teachers"
    """The seed of the parts. That of their adapters and groups is `train_reranker`'s."""
