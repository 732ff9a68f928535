"""Holds the settings of training and of merging an adapter into its base."""

from typing import Annotated, Literal

from pydantic import Field

from shared.settings.models import Lora
from shared.settings.section import Count, HeldOutSplit, Positive, Section, Share


class Train(Section):
    """What both trainings have in common."""

    lora: Lora = Lora()
    epochs: Count
    """How often training goes through all groups. An adapter is kept for every epoch."""
    batch: Count
    """Groups of one update, over all processes. The result does not depend on how many processes there are, unless
    there is dropout (of an adapter, or an encoder's own), which draws its masks for other micro-batches."""
    group: Annotated[int, Field(ge=2)]
    """Candidates that a query learns from at once: one positive and group - 1 negatives."""
    rate: Positive
    """The peak learning rate, which then falls linearly to 0."""
    warmup: Share
    """The share of the updates in which the learning rate rises to its peak."""
    weight_decay: Share = 0.01
    """AdamW's weight decay."""
    clip: Positive = 1.0
    """The largest norm of an update's gradient."""
    distill: Annotated[float, Field(ge=0)] = 0.0
    """The weight of the loss from the teacher's scores. It needs a teacher: a previous iteration, or the parts of
    `train_teachers`."""
    distill_loss: Literal["kl", "margin_mse", "ranknet"] = "kl"
    """How the teacher's scores are learnt: `kl`, the divergence of the softmaxes over the group; `margin_mse`, how far
    the positive is in front of each negative, on the teacher's own scale; `ranknet`, which of two is in front."""
    distill_temperature: Positive = 1.0
    """With `kl`, what the scores of teacher and student are divided by before the softmax: more than 1 lets the student
    see how the teacher orders what it finds unlikely. A teacher that has learnt the rows needs it most."""
    label_weight: Annotated[float, Field(ge=0)] = 1.0
    """The weight of the loss from the labels. With 0 the student learns from its teacher alone."""
    micro_tokens: Count = 8192
    """Tokens that are computed together. A GPU is compute-bound from about 2,000 on; these are 60 GB of activations at
    14B."""
    share: bool = True
    """Whether what the prompts of a micro-batch begin with alike, such as a group's query, is computed once. That is
    exact without LoRA dropout; with it, the rows also share its masks, and `false` computes every prompt for itself."""
    fp8: bool = False
    """Whether the frozen weights are held in 8 bits, on GPUs from Ada on."""
    recompute: Literal["measured", "all", "none"] = "measured"
    """Which layers compute their activations again in the backward pass to save memory, at 6 instead of 4 FLOPs for
    each weight and token. `measured` takes as few as the GPU's memory needs, and none on a CPU."""
    checkpoint_seconds: Annotated[float, Field(ge=0)] = 300.0
    """Seconds between two checkpoints, from which a killed training goes on."""
    rationale_dropout: Share = 0.0
    """How often a training query is shown without its rationale, drawn anew in every epoch."""
    siblings: Share = 0.0
    """How often a misconception that is right for another wrong answer of the question is among a query's negatives,
    drawn anew in every epoch. Only the wrong answer tells such a one from the right one. It needs mining with
    `siblings`."""
    together: bool = False
    """Whether the queries of one question stand in one update, so that the embedder also learns them against each
    other."""
    depth: Count = 25
    """After each epoch, recall@depth is measured for the embedder, and the reranker orders so many candidates."""
    seed: str = "train"
    """The seed of the order of groups, of the negatives and examples drawn for them, and of dropout."""


class TrainEmbedder(Train):
    """How the embedder is trained."""

    epochs: Count = 3
    """How often training goes through all groups. An adapter is kept for every epoch."""
    batch: Count = 16
    """Queries of one update, over all processes. The seed had 8 on each of 2 GPUs."""
    group: Annotated[int, Field(ge=2)] = 8
    """Passages of a query: one positive and group - 1 negatives."""
    rate: Positive = 1e-4
    """The peak learning rate, which then falls linearly to 0."""
    warmup: Share = 0.1
    """The share of the updates in which the learning rate rises to its peak."""
    temperature: Positive = 0.02
    """What cosines are divided by before the softmax."""
    mask_equal: bool = True
    """Whether a passage elsewhere in the update with the id of a query's right answer, or with the same words, is left
    out of its negatives. The seed counted it as wrong."""
    micro_tokens: Count = 16384
    """Tokens that are computed together: room for a whole update, 16 groups of about 600. An update in more pieces
    has to encode everything twice."""
    max_examples: Annotated[int, Field(ge=0)] = 2
    """A training query gets 0 to this many in-context examples."""
    shared_examples: bool = False
    """Whether all queries of an update get the same examples, computed once. That is not the seed's recipe."""


class TrainReranker(Train):
    """How the reranker is trained."""

    epochs: Count = 4
    """How often training goes through all groups. An adapter is kept for every epoch."""
    batch: Count = 32
    """Groups of one update, over all processes. The seed had 1 group on each of 4 GPUs, accumulated 8 times."""
    group: Annotated[int, Field(ge=2)] = 16
    """Candidates of a query: one positive and group - 1 negatives."""
    rate: Positive = 2e-4
    """The peak learning rate, which then falls linearly to 0."""
    warmup: Share = 0.05
    """The share of the updates in which the learning rate rises to its peak."""
    loss: Literal["cross_entropy", "ranknet", "lambda", "approx_mrr"] = "cross_entropy"
    """How the labels are learnt: `cross_entropy` of the positive in its group; `ranknet`, the positive in front of each
    negative; `lambda`, the same weighted by what it changes in NDCG (LambdaLoss); `approx_mrr`, a smooth 1 / rank."""
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """The share of the hard cross-entropy's target that is spread over the group. The teacher's part stays as it is."""
    shortest_list: Annotated[int, Field(ge=0)] = 0
    """For the kinds that read lists: the most candidates of a list are drawn between this and `reranker.window`, anew
    for each group in every epoch, so that the model knows lists of many lengths. Of a group in several lists, all but
    one are without the right answer. Zero draws nothing: it is always `reranker.window`."""
    rationale_loss: Annotated[float, Field(ge=0)] = 0.0
    """The weight of one more loss: behind the query, where candidates do not see it, the model learns to write the
    query's rationale. Nothing of it is there when the model serves."""
    rationale_file: str = ""
    """The file in the competition's folder with these rationales: QuestionId_Answer, Rationale, Reasoning. Their writer
    may have seen labels. The empty text means those of `explain`."""


class Merge(Section):
    """Which adapter becomes the model that serves."""

    epoch: Count
    """The epoch whose adapter is merged. It belongs to merging, so that changing it trains nothing again."""
    average: tuple[HeldOutSplit, ...] = ()
    """Splits whose adapters of that epoch are averaged in. Only split full may do so, since each of them was trained
    on what the others hold out."""
    epochs: tuple[Count, ...] = ()
    """Further epochs of the same training whose adapters are averaged in."""
    method: Literal["mean", "slerp"] = "mean"
    """How several adapters become one, weight by weight: their `mean`, which is shorter where they disagree, or
    `slerp`, which goes along the arc between them and keeps their length. With three or more, slerp goes from one to
    the next: the own epoch first, then `epochs`, then the splits of `average`."""
    share: Annotated[float, Field(gt=0, le=1)] = 1.0
    """How much of the adapter is added to the base (Wise-FT): 0.8 leaves the model nearer to what it knew before. It
    costs no training."""


class MergeReranker(Merge):
    """Which adapter becomes the reranker that serves, and how it reads."""

    orders: Literal[1, 2] = 1
    """For the kinds that read lists: 2 reads each list in the order of the ranks and reversed, at about twice the cost,
    and the score is the mean. It belongs to merging, so that changing it trains nothing again: training draws an order
    for every list, so that a place tells nothing."""
