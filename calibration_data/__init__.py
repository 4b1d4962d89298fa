"""Small simulated sensor series with known physics; README.md beside this file gives origin, units and licence."""
