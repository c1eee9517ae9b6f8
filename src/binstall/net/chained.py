"""A future that goes on where another one ended, without a thread that waits in between."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Generic, TypeVar

from binstall.errors import Cancelled
from binstall.net.workers import Job

_S = TypeVar("_S")
_T = TypeVar("_T")


def chained(
    first: Future[_S],
    then: Callable[[_S], Future[_T]],
    otherwise: Callable[[Exception], Future[_T] | None] = lambda _: None,
    *,
    owned: bool = True,
) -> Future[_T]:
    """Return the future of what `then` makes of the result of `first`, or `otherwise` of its error.

    Where `otherwise` gives None, the error stands. Cancelling ends `first` too, unless it is not `owned`:
    then others wait for it. Both callbacks are called in the thread that ends `first`, and must not wait.
    """
    return _Chained(first, then, otherwise, owned=owned)


def settled(result: _T) -> Future[_T]:
    """Return a future that has its result."""
    future: Future[_T] = Future()
    future.set_result(result)
    return future


def failed(error: Exception) -> Future[Any]:
    """Return a future that has its error."""
    future: Future[Any] = Future()
    future.set_exception(error)
    return future


class _Chained(Job[_T], Generic[_S, _T]):
    def __init__(
        self,
        first: Future[_S],
        then: Callable[[_S], Future[_T]],
        otherwise: Callable[[Exception], Future[_T] | None],
        *,
        owned: bool,
    ) -> None:
        super().__init__()
        self._then = then
        self._otherwise = otherwise
        self._under_way: Future[Any] | None = first if owned else None
        first.add_done_callback(self._go_on)

    def cancel(self) -> bool:
        self.stopping.set()
        under_way = self._under_way
        if under_way is not None:
            under_way.cancel()
        return self.fail(Cancelled("the transfer was stopped"))

    def _go_on(self, first: Future[_S]) -> None:
        if self.done():
            return
        try:
            error = first.exception()
            if error is None:
                following: Future[_T] | None = self._then(first.result())
            elif isinstance(error, Exception):
                following = self._otherwise(error)
            else:
                following = None
            if following is None:
                assert error is not None  # noqa: S101 - `then` always goes on
                self.fail(error)
                return
            self._under_way = following
            if self.stopping.is_set():
                following.cancel()
            following.add_done_callback(self._end)
        except BaseException as raised:  # a callback's error would be logged and lost
            self.fail(raised)

    def _end(self, last: Future[_T]) -> None:
        error = last.exception()
        if error is None:
            self.deliver(last.result())
        else:
            self.fail(error)
