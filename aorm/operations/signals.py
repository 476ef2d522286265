"""Signals: who wants to know what happens to models, and how they are told.

1. A receiver is sync or async; either face of an operation reaches both.
2. Nobody listening costs one look at a list.
3. Receivers are held weakly unless asked otherwise; the dead ones are dropped on the next look.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, TypeAlias, TypeVar

from aorm.connections import async_to_sync, sync_to_async
from aorm.fields.registry import Apps, apps, model_key
from aorm.late import inspect, logging
from aorm.steps import Operation, call

Receiver: TypeAlias = Callable[..., Any]
Responses: TypeAlias = list[tuple[Receiver, Any]]
F = TypeVar("F", bound=Receiver)

_LOG = "aorm.dispatch"

_NONE: tuple[Receiver, ...] = ()


def _identity(target: Any) -> Any:
    """What tells one receiver or sender from another; a bound method is made anew each time."""
    if hasattr(target, "__func__"):
        return (id(target.__self__), id(target.__func__))
    return id(target)


def _nobody() -> None:
    """Stands for the reference to a sender that is None."""


class _Entry:
    """One connected receiver."""

    __slots__ = ("key", "reference", "sender", "weak")

    def __init__(self, key: tuple[Any, Any], reference: Any, sender: Any, weak: bool) -> None:
        self.key = key
        self.reference = reference
        self.sender = sender
        self.weak = weak

    @property
    def receiver(self) -> Receiver | None:
        target: Receiver | None = self.reference() if self.weak else self.reference
        return target

    def hears(self, sender: Any) -> bool:
        if self.sender is None:
            return True
        wanted = self.sender() if isinstance(self.sender, weakref.ref) else self.sender
        return wanted is sender and wanted is not None


class Signal:
    """An event that receivers connect to.

    `use_caching` is accepted for compatibility: what a sender's receivers are is always kept.
    """

    def __init__(self, use_caching: bool = False) -> None:
        self.receivers: list[_Entry] = []
        self.use_caching = use_caching
        self.lock = threading.Lock()
        # By the identity of a sender, which is held weakly: it may die.
        self._by_sender: dict[int, tuple[Any, tuple[_Entry, ...]]] = {}
        self._dead = False
        #: Counts changes of the receivers, for those who keep what they derive from them.
        self.generation = 0

    # --- connecting ---------------------------------------------------------------

    def connect(
        self,
        receiver: Receiver,
        sender: Any = None,
        weak: bool = True,
        dispatch_uid: Any = None,
    ) -> None:
        """Call `receiver(signal=, sender=, **named)` for each event.

        Args:
            receiver: a function, method or callable, `def` or `async def`, that takes `**kwargs`.
            sender: only events of this sender; None for all.
            weak: hold the receiver weakly, so that it may die.
            dispatch_uid: connecting another receiver of the same uid and sender has no effect.
        """
        if not callable(receiver):
            raise TypeError(f"Signal receivers must be callable. This one is not: {receiver!r}")
        if not _takes_any_keyword(receiver):
            raise ValueError("Signal receivers must accept keyword arguments (**kwargs).")
        key = self._key(receiver, sender, dispatch_uid)
        reference: Any = receiver
        if weak:
            owner = getattr(receiver, "__self__", None)
            bound = owner is not None and hasattr(receiver, "__func__")
            reference = weakref.WeakMethod(receiver) if bound else weakref.ref(receiver)
            weakref.finalize(owner if bound else receiver, self._flag_dead).atexit = False
        entry = _Entry(key, reference, self._sender_reference(sender), weak)
        with self.lock:
            self._clear_dead_receivers()
            if all(known.key != key for known in self.receivers):
                self.receivers.append(entry)
            self._changed()

    def disconnect(
        self, receiver: Receiver | None = None, sender: Any = None, dispatch_uid: Any = None
    ) -> bool:
        """Undo `connect`; say whether there was anything to undo."""
        key = self._key(receiver, sender, dispatch_uid)
        with self.lock:
            self._clear_dead_receivers()
            kept = [entry for entry in self.receivers if entry.key != key]
            found = len(kept) != len(self.receivers)
            self.receivers[:] = kept
            self._changed()
        return found

    @staticmethod
    def _key(receiver: Any, sender: Any, dispatch_uid: Any) -> tuple[Any, Any]:
        return (_identity(receiver) if dispatch_uid is None else dispatch_uid, _identity(sender))

    @staticmethod
    def _sender_reference(sender: Any) -> Any:
        # A class outlives its receivers' interest or dies with its module; what cannot be
        # referenced weakly (an int, a string) is compared by identity just the same.
        try:
            return None if sender is None else weakref.ref(sender)
        except TypeError:
            return sender

    def _flag_dead(self) -> None:
        # May run in the middle of anything, even with the lock held: only leave a note.
        self._dead = True

    def _changed(self) -> None:
        self._by_sender.clear()
        self.generation += 1

    def _clear_dead_receivers(self) -> None:
        if self._dead:
            self._dead = False
            self.receivers[:] = [entry for entry in self.receivers if entry.receiver is not None]
            self._changed()

    # --- asking ---------------------------------------------------------------------

    def has_listeners(self, sender: Any = None) -> bool:
        """Whether an event of this sender would reach anybody."""
        return bool(self.receivers) and bool(self.live(sender))

    def live(self, sender: Any = None) -> tuple[Receiver, ...]:
        """The receivers of this sender's events, in the order in which they were connected."""
        if not self.receivers:
            return _NONE
        if self._dead:
            with self.lock:
                self._clear_dead_receivers()
        known = self._by_sender.get(id(sender))
        if known is None or known[0]() is not sender:
            with self.lock:
                entries = tuple(entry for entry in self.receivers if entry.hears(sender))
                if isinstance(sender, type) or sender is None:
                    held = _nobody if sender is None else weakref.ref(sender)
                    self._by_sender[id(sender)] = (held, entries)
        else:
            entries = known[1]
        return tuple(found for entry in entries if (found := entry.receiver) is not None)

    # --- sending --------------------------------------------------------------------

    def send(self, sender: Any, **named: Any) -> Responses:
        """Tell the receivers; an error of one of them ends it and is raised.

        Returns:
            Pairs of receiver and what it returned; asynchronous receivers come last.
        """
        plain, coroutines = self._by_kind(sender)
        responses = [(each, each(signal=self, sender=sender, **named)) for each in plain]
        if coroutines:
            responses += async_to_sync(self._told)(coroutines, sender, named)
        return responses

    async def asend(self, sender: Any, **named: Any) -> Responses:
        plain, coroutines = self._by_kind(sender)
        responses: Responses = []
        if plain:

            def tell() -> Responses:
                return [(each, each(signal=self, sender=sender, **named)) for each in plain]

            responses += await sync_to_async(tell)()
        if coroutines:
            responses += await self._told(coroutines, sender, named)
        return responses

    def send_robust(self, sender: Any, **named: Any) -> Responses:
        """Tell the receivers; an error of one is logged and stands in place of its result."""
        plain, coroutines = self._by_kind(sender)
        responses = [(each, self._guarded(each, sender, named)) for each in plain]
        if coroutines:
            responses += async_to_sync(self._told_guarded)(coroutines, sender, named)
        return responses

    async def asend_robust(self, sender: Any, **named: Any) -> Responses:
        plain, coroutines = self._by_kind(sender)
        responses: Responses = []
        if plain:

            def tell() -> Responses:
                return [(each, self._guarded(each, sender, named)) for each in plain]

            responses += await sync_to_async(tell)()
        if coroutines:
            responses += await self._told_guarded(coroutines, sender, named)
        return responses

    def _by_kind(self, sender: Any) -> tuple[list[Receiver], list[Receiver]]:
        plain: list[Receiver] = []
        coroutines: list[Receiver] = []
        for each in self.live(sender):
            (coroutines if is_async(each) else plain).append(each)
        return plain, coroutines

    async def _told(
        self, receivers: list[Receiver], sender: Any, named: dict[str, Any]
    ) -> Responses:
        """The responses of asynchronous receivers.

        One after another, in the sender's context: side by side they could not both change it
        and keep their transactions apart.
        """
        return [(each, await each(signal=self, sender=sender, **named)) for each in receivers]

    async def _told_guarded(
        self, receivers: list[Receiver], sender: Any, named: dict[str, Any]
    ) -> Responses:
        responses: Responses = []
        for each in receivers:
            try:
                response = await each(signal=self, sender=sender, **named)
            except Exception as error:
                self._log(each, error)
                response = error
            responses.append((each, response))
        return responses

    def _guarded(self, receiver: Receiver, sender: Any, named: dict[str, Any]) -> Any:
        try:
            return receiver(signal=self, sender=sender, **named)
        except Exception as error:
            self._log(receiver, error)
            return error

    def _log(self, receiver: Receiver, error: Exception) -> None:
        name = getattr(receiver, "__qualname__", repr(receiver))
        logging.getLogger(_LOG).error(
            "Error calling %s in Signal.send_robust() (%s)", name, error, exc_info=error
        )


class ModelSignal(Signal):
    """A signal whose sender may be named `"app_label.ModelName"` before that model exists."""

    def _resolved(self, act: Callable[..., Any], sender: Any, registry: Apps | None) -> Any:
        if not isinstance(sender, str):
            return act(sender=sender)
        (registry or apps).lazy_model_operation(lambda model: act(sender=model), model_key(sender))
        return None

    def connect(
        self,
        receiver: Receiver,
        sender: Any = None,
        weak: bool = True,
        dispatch_uid: Any = None,
        apps: Apps | None = None,
    ) -> None:
        """As `Signal.connect`; a sender given as a string is waited for in `apps`."""
        act = partial(super().connect, receiver, weak=weak, dispatch_uid=dispatch_uid)
        self._resolved(act, sender, apps)

    def disconnect(
        self,
        receiver: Receiver | None = None,
        sender: Any = None,
        dispatch_uid: Any = None,
        apps: Apps | None = None,
    ) -> Any:
        """As `Signal.disconnect`; for a sender given as a string nothing is returned."""
        act = partial(super().disconnect, receiver, dispatch_uid=dispatch_uid)
        return self._resolved(act, sender, apps)


def is_async(receiver: Any) -> bool:
    """Whether calling this gives something to await."""
    if inspect.iscoroutinefunction(receiver):
        return True
    called = getattr(receiver, "__call__", None)  # noqa: B004 - its kind is asked, not whether
    return inspect.iscoroutinefunction(called)


def _takes_any_keyword(receiver: Receiver) -> bool:
    try:
        parameters = inspect.signature(receiver).parameters.values()
    except (TypeError, ValueError):
        return True  # written in C: it will say so itself
    return any(each.kind is each.VAR_KEYWORD for each in parameters)


def receiver(signal: Signal | Iterable[Signal], **options: Any) -> Callable[[F], F]:
    """Connect the decorated function to a signal, or to each of several.

    @receiver(post_save, sender=Book)
    def changed(sender, instance, **kwargs): ...
    """

    def connected(function: F) -> F:
        for each in [signal] if isinstance(signal, Signal) else signal:
            each.connect(function, **options)
        return function

    return connected


def send_steps(signal: Signal, sender: Any, **named: Any) -> Operation[None]:
    """Tell the receivers from inside an operation; no step where nobody listens."""
    for each in signal.live(sender):
        yield from call(partial(each, signal=signal, sender=sender, **named))


class_prepared = Signal()
pre_init = ModelSignal(use_caching=True)
post_init = ModelSignal(use_caching=True)
pre_save = ModelSignal(use_caching=True)
post_save = ModelSignal(use_caching=True)
pre_delete = ModelSignal(use_caching=True)
post_delete = ModelSignal(use_caching=True)
m2m_changed = ModelSignal(use_caching=True)
pre_migrate = Signal()
post_migrate = Signal()
