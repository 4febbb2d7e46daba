"""Every action and event of Asterisk 16 and 22, by name, and the meanings of Asterisk's codes in ``codes``.

::

    from ami_client.catalogue import actions, events

    conn.action(actions.QueueAdd(Queue="help", Interface="PJSIP/100"), cb)

    @pool.on(events.Hangup)
    def hung_up(conn, event: events.Hangup) -> None: ...

Classes are created on first use, from facts that are generated from the servers' own documentation. They are optional:
an action, an event or a header that is missing here works as well.
"""

from . import actions, events

__all__ = ["actions", "events"]
