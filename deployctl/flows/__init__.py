"""One file a verb: puts the rooms below in order, through ports only."""
