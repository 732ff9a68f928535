"""Refuses settings of a kind of reranker that do not go together, with the way out."""

from shared.settings.sections import Settings

LISTS = ("listed", "cumulative")  # the kinds that read a candidate among others


def check_kinds(settings: Settings, source: str) -> None:
    """Raise ValueError naming the key of `source` that asks for what nobody could do."""
    reranker, shortest = settings.reranker, settings.train_reranker.shortest_list
    if reranker.kind not in LISTS:
        if shortest:
            raise ValueError(
                f"{source}: train_reranker.shortest_list: {shortest} is of a kind that reads lists, and reranker.kind "
                f"is {reranker.kind}: leave it out"
            )
        if settings.merge_reranker.orders > 1:
            raise ValueError(
                f"{source}: merge_reranker.orders: {settings.merge_reranker.orders} is of a kind that reads lists, and "
                f"reranker.kind is {reranker.kind}: leave it out"
            )
        return
    if reranker.template == "pair":
        raise ValueError(
            f"{source}: reranker.kind: {reranker.kind} reads lists, and a base of template=pair reads two texts: "
            "say kind=pointwise"
        )
    if shortest > reranker.window:
        raise ValueError(
            f"{source}: train_reranker.shortest_list: {shortest} is more than reranker.window, {reranker.window}"
        )
