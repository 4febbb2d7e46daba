"""Every action and event of Asterisk 16 and 22, by name; and, in ``codes``, Asterisk's codes in words.

::

    from ami_client.catalogue import actions, events

    conn.action(actions.QueueAdd(Queue="help", Interface="PJSIP/100"), cb)

    @pool.on(events.Hangup)
    def hung_up(conn, event: events.Hangup) -> None: ...

Classes are made when they are first asked for, from facts that are generated out of the servers' own documentation.
Nothing needs them: an action, an event or a header that is not here works as ever.
"""

from . import actions, events

__all__ = ["actions", "events"]
