"""`make demo PIPELINE=…`: the embedded stack, one run of a pipeline watched live, a person's decisions, finished files, the end."""
