"""Files, addresses, times and connections shared by sources, sinks and service."""
