"""Erase a document from everything a project keeps: one module per kind of place, one that acts."""
