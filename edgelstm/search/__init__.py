"""Search for the designs that lose least at each size."""
