"""Drawing from a seed: the few combinators that `world` needs, spread evenly where hypothesis prefers the simple."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from random import Random

T = TypeVar("T")
U = TypeVar("U")


class Strategy(Generic[T]):
    """What can be drawn with a source of chance."""

    def __init__(self, make: Callable[[Random], T]) -> None:
        self.make = make

    def map(self, change: Callable[[T], U]) -> Strategy[U]:
        return Strategy(lambda chance: change(self.make(chance)))


class Draw:
    """Draws from one source of chance."""

    def __init__(self, chance: Random) -> None:
        self.chance = chance

    def __call__(self, strategy: Strategy[T]) -> T:
        return strategy.make(self.chance)


def composite(function: Callable[..., T]) -> Callable[..., Strategy[T]]:
    """A function that draws, as a strategy."""

    def made(*args: Any, **kwargs: Any) -> Strategy[T]:
        return Strategy(lambda chance: function(Draw(chance), *args, **kwargs))

    return made


def sampled_from(values: Sequence[T]) -> Strategy[T]:
    return Strategy(lambda chance: chance.choice(values))


def booleans() -> Strategy[bool]:
    return sampled_from([False, True])


def integers(low: int, high: int) -> Strategy[int]:
    return Strategy(lambda chance: chance.randint(low, high))


def just(value: T) -> Strategy[T]:
    return Strategy(lambda _: value)


def one_of(*strategies: Strategy[Any]) -> Strategy[Any]:
    return Strategy(lambda chance: chance.choice(strategies).make(chance))


def tuples(*strategies: Strategy[Any]) -> Strategy[tuple[Any, ...]]:
    return Strategy(lambda chance: tuple(each.make(chance) for each in strategies))


def builds(make: Callable[..., T], *strategies: Strategy[Any]) -> Strategy[T]:
    return Strategy(lambda chance: make(*(each.make(chance) for each in strategies)))


def lists(item: Strategy[T], *, min_size: int = 0, max_size: int = 3, unique: bool = False) -> Strategy[list[T]]:
    def make(chance: Random) -> list[T]:
        found = [item.make(chance) for _ in range(chance.randint(min_size, max_size))]
        return list(dict.fromkeys(found)) if unique else found

    return Strategy(make)
