"""The layer between connections and the protocol: callbacks, events, timeouts, the pool of each URL."""
