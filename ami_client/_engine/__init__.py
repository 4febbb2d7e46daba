"""The protocol without I/O: bytes in, packets and answers out; actions to bytes."""
