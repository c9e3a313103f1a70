"""The index: one LanceDB table of chunks, written by one process, published by one pointer.

The only importer of lancedb.
"""
