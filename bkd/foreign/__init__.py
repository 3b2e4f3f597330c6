"""Save trees of the paper's own scripts: found by folder name, read without running anything, made runs of bkd."""
