"""The local provider: an HTTP server on loopback that speaks the OpenAI wire and computes for real.

It embeds with all-MiniLM-L6-v2 and answers by extracting sentences; it does not generate text.
"""
