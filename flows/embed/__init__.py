"""Stage embed: keep the index equal to the chunks."""
