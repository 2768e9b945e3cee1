"""Tab completion in three shells, made from the table of verbs and the flags of each."""
