"""What can be done on the home screen: the keys of its bar, and the commands of the palette."""

from __future__ import annotations

from tui.arrangement import BUILT_IN
from tui.roles import ROLES
from tui.widgets.key_bar import Key

KEYS = (
    Key("enter", "open", "open_selected"), Key("n", "teacher", "new_teacher"), Key("d", "distil", "distil"),
    Key("/", "filter", "filter"), Key("v", "tree/flat", "toggle_tree"), Key("x", "stop", "stop_run"),
    Key("r", "resume", "resume_run"), Key("s", "sort", "sort"), Key("space", "mark", "mark"),
    Key("i", "details", "toggle_details"), Key("c", "compare", "compare"), Key("D", "delete", "delete_run"),
    Key("t", "tags", "edit_tags"), Key("C", "columns", "choose_columns"), Key("V", "views", "choose_view"),
    Key("?", "help", "app.show_help"), Key("q", "quit", "app.quit"),
)  # fmt: skip

_MARKED = "the marked runs, or the selected one"
COMMANDS = (
    ("New teacher", "Open the form for a teacher", "new_teacher"),
    ("Distil a student", "Open the form for a student, or a sweep of them, of the selected teacher", "distil"),
    ("Open run", "Watch the selected run", "open_selected"),
    ("Stop run", f"Stop {_MARKED}, after the step", "stop_run"),
    ("Resume run", f"Resume {_MARKED}, from the last checkpoint", "resume_run"),
    ("Delete run", f"Delete {_MARKED}", "delete_run"),
    ("Edit tags", f"Edit the tags of {_MARKED}", "edit_tags"),
    ("Duplicate run", "Open the form for a run like the selected one, to change and launch it", "duplicate_run"),
    ("Filter", "Filter the runs", "filter"),
    ("Tree or flat", "Show teachers with all that was made from them, or one after the other", "toggle_tree"),
    ("Fold or unfold all", "Fold all teachers of the tree, or unfold them", "fold_all"),
    ("Sort", "Sort by the next column", "sort"),
    ("Reverse the order", "Turn the order of the runs round", "sort_reverse"),
    ("Columns", "Choose the columns of the table, and their order", "choose_columns"),
    ("Saved views", "Choose, save or delete a view: table, filter, order, columns", "choose_view"),
    ("Details", "Show or hide what the selected run is", "toggle_details"),
    ("Mark run", "Mark the selected run: for stop, resume, delete, tags, compare, or an ensemble", "mark"),
    ("Mark all shown", "Mark all runs in the table, or take their marks away", "mark_all"),
    ("Unmark all", "Take all marks away", "unmark"),
    ("Compare", "Compare the marked runs", "compare"),
    *((role.title, f"Show the {role.title.lower()}", f"show({role.name!r})") for role in ROLES),
    *((f"View: {view.name}", view.filter or "All runs, the newest first", f"show_view({view.name!r})")
      for view in BUILT_IN),
)  # fmt: skip
