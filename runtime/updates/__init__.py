"""Signed model updates on the device; nothing here is loaded unless `updates` is configured or a command asks for it."""
