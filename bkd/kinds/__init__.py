"""Kinds of teacher: one file each, and one line each in `bkd.kinds.table`."""
