"""What stands between connections and the protocol: callbacks, events, time limits, the pool of each URL."""
