"""Signing and publishing of models on a workstation; devices only verify."""
