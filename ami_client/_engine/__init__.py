"""The protocol engine, without I/O: decodes bytes into packets and answers, and encodes actions into bytes."""
