"""The Pareto front: what no other one beats in both cost and quality."""

from collections.abc import Callable, Iterable
from typing import TypeVar

T = TypeVar("T")


def pareto_front(items: Iterable[T], cost: Callable[[T], float], quality: Callable[[T], float]) -> list[T]:
    """Items that no other one beats, the cheapest first; of equals the first.

    Args:
        items: All items.
        cost: An item's cost, the lower the better.
        quality: An item's quality, the higher the better.

    >>> pareto_front([(10, 0.8), (40, 0.9), (50, 0.85)], cost=lambda item: item[0], quality=lambda item: item[1])
    [(10, 0.8), (40, 0.9)]
    """
    front: list[T] = []
    for item in sorted(items, key=lambda item: (cost(item), -quality(item))):
        if not front or quality(item) > quality(front[-1]):
            front.append(item)
    return front
