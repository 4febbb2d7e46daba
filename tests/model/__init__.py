"""The contract as a model: whatever happens in whatever order, each callback is called once, and rightly."""
