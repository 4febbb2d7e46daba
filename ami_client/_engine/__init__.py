"""The protocol engine, without I/O: it decodes bytes into packets and answers, and encodes actions into bytes."""
