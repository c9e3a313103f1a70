"""The provider room: one client over the OpenAI wire, hosted or local; start at `client.open_provider`."""
