"""One thin file a verb: options in, words and exit codes out."""
