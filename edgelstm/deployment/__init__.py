"""From a `.keras` file to finished model files for devices."""
