"""Networks: one file per family, reached by name through `bkd.models.table`."""
