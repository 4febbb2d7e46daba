"""PHPNames: every public method answers to its PHP name."""

from __future__ import annotations

import inspect

import pytest

from ami_client import Connection, EventHandlers, Pool, PriorityQueueCallbacks, StackCallbacks
from ami_client.php import PHPNames, camel_case


class Base(PHPNames):
    limit = 3

    def get_sip_peers(self) -> str:
        return "base"

    def bind(self) -> str:
        return "bind"

    @classmethod
    def get_instance(cls) -> type:
        return cls

    @staticmethod
    def a_b() -> int:
        return 5

    @property
    def is_open(self) -> bool:
        raise AssertionError("only looked at when asked for")

    def _not_public(self) -> None: ...


class Derived(Base):
    def get_sip_peers(self) -> str:
        return "derived"

    def set_var(self) -> str:
        return "set"

    def getFoo(self) -> str:
        return "by hand"

    def get_foo(self) -> str:
        return "by us"


@pytest.mark.parametrize(
    ("ours", "php"),
    [
        ("ping", "ping"),
        ("get_sip_peers", "getSipPeers"),
        ("get_iax_peers", "getIaxPeers"),
        ("core_show_channels", "coreShowChannels"),
        ("set_var", "setVar"),
        ("before_connect_2", "beforeConnect_2"),
    ],
)
def test_camel_case(ours: str, php: str) -> None:
    assert camel_case(ours) == php


def test_methods_class_methods_and_static_methods_have_their_php_names() -> None:
    assert Base().getSipPeers() == "base"  # type: ignore[attr-defined]
    assert Base.getInstance() is Base  # type: ignore[attr-defined]
    assert Base().getInstance() is Base  # type: ignore[attr-defined]
    assert Base.aB() == 5  # type: ignore[attr-defined]
    assert Base().addEventHandler() == "bind"  # type: ignore[attr-defined]


def test_a_subclass_overrides_under_both_names() -> None:
    assert Derived().getSipPeers() == "derived"  # type: ignore[attr-defined]
    assert Derived().setVar() == "set"  # type: ignore[attr-defined]
    assert Derived.getInstance() is Derived  # type: ignore[attr-defined]


def test_an_instance_that_replaces_a_method_replaces_its_php_name() -> None:
    thing = Base()
    thing.get_sip_peers = lambda: "mine"  # type: ignore[method-assign]
    assert thing.getSipPeers() == "mine"  # type: ignore[attr-defined]


def test_a_php_name_that_is_there_already_stays() -> None:
    assert Derived().getFoo() == "by hand"


@pytest.mark.parametrize("name", ["isOpen", "_notPublic", "NotPublic", "setVar"])
def test_neither_properties_nor_private_nor_missing_methods_get_one(name: str) -> None:
    assert not hasattr(Base, name)


DOCUMENTED = {
    Connection: """
        getSipPeers getIaxPeers getConfig getConfigJSON getConfigJson setVar coreShowChannels status redirect originate
        extensionState ping action logoff onEvent onConnected isConnected isFinished isBusy acquire release finish
        close gracefulShutdown bind unbind addEventHandler removeEventHandler on off event trigger getLastEventName
    """,
    Pool: "getConnection getInstance addServer finish bind unbind on off event trigger",
    EventHandlers: "bind unbind addEventHandler removeEventHandler on off event trigger getLastEventName",
    StackCallbacks: "push executeOne executeAll",
    PriorityQueueCallbacks: "insert executeOne executeAll",
}


@pytest.mark.parametrize("cls", DOCUMENTED)
def test_the_documented_names_of_phpdaemon_are_there(cls: type) -> None:
    missing = [name for name in DOCUMENTED[cls].split() if not callable(getattr(cls, name, None))]
    assert missing == []


@pytest.mark.parametrize("cls", DOCUMENTED)
def test_every_public_method_has_a_php_name(cls: type) -> None:
    methods = [name for name, _ in inspect.getmembers(cls, callable) if not name.startswith("_")]
    assert [name for name in methods if not hasattr(cls, camel_case(name))] == []
