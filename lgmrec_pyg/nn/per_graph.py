from collections.abc import Callable
from typing import Any, Generic, TypeVar

T = TypeVar('T')


class PerGraph(Generic[T]):
    r"""Remembers the last result of a function of a graph, which stays the same
    object for a whole training, but in no copy or pickle.

    Args:
        function (Callable): The function.
    """

    def __init__(self, function: Callable[[Any], T]) -> None:
        self.function = function
        self.last: tuple[Any, T] | None = None

    def __call__(self, graph: Any) -> T:
        if self.last is None or self.last[0] is not graph:
            self.last = (graph, self.function(graph))
        return self.last[1]

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), 'last': None}
