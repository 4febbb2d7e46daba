"""Our client and its peers on the same work, by turns: see README.md."""
