"""From a URL to a stream of bytes, without blocking the loop."""
