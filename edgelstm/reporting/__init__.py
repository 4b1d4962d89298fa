"""The accuracy-versus-size report."""
