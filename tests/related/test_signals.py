"""Signals without a database."""

from __future__ import annotations

import gc
import weakref

import pytest

from aorm.models.signals import ModelSignal, Signal, receiver


class Sender:
    pass


def test_a_receiver_is_called_with_signal_sender_and_what_is_named():
    signal, seen = Signal(), []

    def note(signal, sender, **named):
        seen.append((signal, sender, named))
        return "done"

    signal.connect(note)
    assert signal.send(Sender, value=1) == [(note, "done")]
    assert seen == [(signal, Sender, {"value": 1})]


def test_only_events_of_the_sender_reach_a_receiver():
    signal, seen = Signal(), []

    def note(sender, **named):
        seen.append(sender)

    signal.connect(note, sender=Sender)
    signal.send(object)
    signal.send(Sender)
    assert seen == [Sender]
    assert signal.has_listeners(Sender)
    assert not signal.has_listeners(object)


def test_connecting_twice_has_the_effect_of_once():
    signal = Signal()

    def note(**named):
        return None

    signal.connect(note)
    signal.connect(note)
    assert len(signal.send(None)) == 1


def test_a_dispatch_uid_stands_for_the_receiver():
    signal = Signal()
    signal.connect(lambda **named: 1, weak=False, dispatch_uid="one")
    signal.connect(lambda **named: 2, weak=False, dispatch_uid="one")
    assert [result for _, result in signal.send(None)] == [1]
    assert signal.disconnect(dispatch_uid="one")
    assert not signal.disconnect(dispatch_uid="one")
    assert signal.send(None) == []


def test_a_receiver_that_dies_is_not_called():
    signal = Signal()

    class Listener:
        def hear(self, **named):
            return None

    listener = Listener()
    signal.connect(listener.hear)
    assert signal.has_listeners(None)
    del listener
    gc.collect()
    assert not signal.has_listeners(None)
    assert signal.receivers == []


def test_a_method_can_be_disconnected():
    signal = Signal()

    class Listener:
        def hear(self, **named):
            return None

    listener = Listener()
    signal.connect(listener.hear)
    assert signal.disconnect(listener.hear)
    assert signal.send(None) == []


def test_a_receiver_has_to_take_any_keyword():
    with pytest.raises(ValueError, match="keyword arguments"):
        Signal().connect(lambda: None)
    with pytest.raises(TypeError, match="callable"):
        Signal().connect("not callable")


def test_an_error_ends_send_and_is_a_response_of_send_robust():
    signal = Signal()
    error = ValueError("no")

    def fail(**named):
        raise error

    def go_on(**named):
        return 1

    signal.connect(fail)
    signal.connect(go_on)
    with pytest.raises(ValueError, match="no"):
        signal.send(None)
    assert signal.send_robust(None) == [(fail, error), (go_on, 1)]


def test_receiver_connects_to_several_signals():
    one, two = Signal(), Signal()

    @receiver([one, two], sender=Sender)
    def note(**named):
        return None

    assert one.has_listeners(Sender)
    assert two.has_listeners(Sender)


async def test_both_kinds_of_receivers_hear_both_kinds_of_sending():
    signal = Signal()

    def plain(**named):
        return "plain"

    async def awaited(**named):
        return "awaited"

    signal.connect(awaited)
    signal.connect(plain)
    assert await signal.asend(None) == [(plain, "plain"), (awaited, "awaited")]
    assert await signal.asend_robust(None) == [(plain, "plain"), (awaited, "awaited")]


def test_sending_without_a_loop_runs_asynchronous_receivers():
    signal = Signal()

    async def awaited(**named):
        return "awaited"

    signal.connect(awaited)
    assert signal.send(None) == [(awaited, "awaited")]


def test_a_model_signal_takes_a_label_for_a_sender():
    from shop.models import Book

    signal, seen = ModelSignal(), []

    def note(sender, **named):
        seen.append(sender)

    signal.connect(note, sender="shop.Book")
    signal.send(Book)
    assert seen == [Book]
    with pytest.raises(ValueError, match="Book"):
        signal.connect(note, sender="Book")


def test_a_sender_is_not_kept_alive():
    signal = Signal(use_caching=True)

    def note(**named):
        pass

    class Brief:
        pass

    signal.connect(note)
    signal.send(Brief)
    dead = weakref.ref(Brief)
    del Brief
    gc.collect()
    assert dead() is None
