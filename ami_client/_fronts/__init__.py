"""What ``aio`` and ``blocking`` share: a connection kept across reconnects, bounded streams of events, the actions."""
