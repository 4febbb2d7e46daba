"""The transport: opens a byte stream to a URL without blocking the loop."""
