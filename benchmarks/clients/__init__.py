"""The programs that do the work, each with one client library and in a process of its own."""
