"""What keys do to the marked runs, or, where none is marked, to the one under the cursor."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from bkd.errors import BkdError
from bkd.runfile import UNFINISHED, Status
from bkd.store import heirs_text
from bkd.text import clean, count
from tui.messages import Row
from tui.run_actions import RunActions

MOST_NAMED = 6  # runs that a question names


class ManyActions(RunActions):
    """A screen on which runs can be marked; with several of them a question says which are meant."""

    rows: Sequence[Row] = ()

    @property
    def marked(self) -> list[Row]:
        """The marked runs."""
        raise NotImplementedError

    def target(self) -> Row | None:
        """Return the marked run where it is the only one, else the one under the cursor."""
        marked = self.marked
        return marked[0] if len(marked) == 1 else self.under_cursor()

    def under_cursor(self) -> Row | None:
        """Return the row under the cursor."""
        raise NotImplementedError

    def action_stop_run(self) -> None:
        """Ask the marked runs to stop after their step, or the one under the cursor."""
        if len(self.marked) < 2:
            super().action_stop_run()
            return
        at_work = [run for run in self.marked if str(run["status"]).partition(" ")[0] in (*UNFINISHED, "unknown")]
        self._ask_many("Stop", at_work, "None of the marked runs is running.", self._stop_many)

    def _stop_many(self, runs: Sequence[Row]) -> None:
        def stop() -> str:
            from bkd.actions import stop_run
            from bkd.many import AT_ONCE, on_each

            outcome = on_each(_ids(runs), lambda run_id: stop_run(self.store, run_id), at_once=AT_ONCE)
            return _told(outcome.told("stopped"), is_fault=bool(outcome.faults))

        self.notify(f"Stopping {count(len(runs), 'run')} after their step ...")
        self.run_task(stop)

    def action_resume_run(self) -> None:
        """Start the marked runs again from their last checkpoints, or the one under the cursor."""
        if len(self.marked) < 2:
            super().action_resume_run()
            return
        ended = [run for run in self.marked if run["status"] not in (*UNFINISHED, Status.DONE)]
        self._ask_many(
            "Resume", ended, "None of the marked runs can be resumed: all run or are done.", self._resume_many
        )

    def _resume_many(self, runs: Sequence[Row]) -> None:
        def resume() -> str:
            from bkd.actions import resume as resume_run
            from bkd.many import on_each

            outcome = on_each(_ids(runs), lambda run_id: resume_run(self.store, run_id))
            return _told(outcome.told("resumed"), is_fault=bool(outcome.faults))

        self.run_task(resume)

    def action_delete_run(self) -> None:
        """Ask for a typed word, then delete the marked runs; or the one under the cursor, by its id."""
        runs = self.marked
        if len(runs) < 2:
            super().action_delete_run()
            return
        from bkd.many import heirs_left, sources_of
        from tui.screens.confirm import ConfirmScreen

        heirs = heirs_left(self.rows, runs)
        word = f"delete {len(runs)}" + (" force" if heirs else "")
        text = f"{named(runs)}\nTheir weights, events and logs are removed for good."
        if heirs:
            text += f" Not marked, and left without their teacher: {heirs_text(heirs)}."

        def answered(is_sure: bool | None) -> None:
            if is_sure:
                self._delete_many(runs, {source for heir in heirs for source in sources_of(heir)})

        self.app.clear_notifications()
        question = f"Delete {count(len(runs), 'marked run')}?"
        self.app.push_screen(ConfirmScreen(question, text, word, kept="them"), answered)

    def _delete_many(self, runs: Sequence[Row], forced: Collection[str]) -> None:
        def delete() -> str:
            from bkd.actions import delete as delete_run
            from bkd.many import heirs_first, on_each

            ids = _ids(heirs_first(runs))
            outcome = on_each(ids, lambda run_id: delete_run(self.store, run_id, force=run_id in forced))
            return _told(outcome.told("deleted"), is_fault=bool(outcome.faults))

        self.run_task(delete)

    def action_edit_tags(self) -> None:
        """Ask for tags to add to the marked runs and to take from them; or for those of the one under the cursor."""
        runs = self.marked
        if len(runs) < 2:
            super().action_edit_tags()
            return
        from tui.screens.tags_of_many import TagChange, TagsOfManyScreen

        def answered(change: TagChange | None) -> None:
            if change is not None and (change.add or change.drop):
                self._tag_many(runs, change.add, change.drop)

        self.app.push_screen(TagsOfManyScreen([run.get("tags") or () for run in runs]), answered)

    def _tag_many(self, runs: Sequence[Row], add: Sequence[str], drop: Sequence[str]) -> None:
        def tag() -> str:
            from bkd.actions import describe
            from bkd.many import on_each

            outcome = on_each(_ids(runs), lambda run_id: describe(self.store, run_id, add=add, drop=drop))
            return _told(outcome.told("tagged"), is_fault=bool(outcome.faults))

        self.run_task(tag)

    def _ask_many(self, verb: str, runs: Sequence[Row], none: str, act: Callable[[Sequence[Row]], None]) -> None:
        """Ask whether to act on some of the marked runs, and say which of them are left as they are."""
        if not runs:
            self.notify(none, severity="warning")
            return
        from tui.screens.ask import AskScreen

        others = len(self.marked) - len(runs)
        text = named(runs)
        if others:
            text += f"\n{count(others, 'other marked run')} will be left as {'it is' if others == 1 else 'they are'}."

        def answered(is_sure: bool | None) -> None:
            if is_sure:
                act(runs)

        self.app.push_screen(AskScreen(f"{verb} {count(len(runs), 'marked run')}?", text, verb.lower()), answered)


def named(runs: Sequence[Row]) -> str:
    """Return runs, a line each, the first of many."""
    lines = [f"{clean(str(run.get('name')))}  {clean(str(run['status']))}" for run in runs[:MOST_NAMED]]
    more = len(runs) - MOST_NAMED
    return "\n".join([*lines, f"... and {more} more"] if more > 0 else lines)


def _ids(runs: Sequence[Row]) -> list[str]:
    return [str(run["id"]) for run in runs]


def _told(text: str, *, is_fault: bool) -> str:
    """Return what a task has to say.

    Raises:
        BkdError: With that, where something went wrong.
    """
    if is_fault:
        raise BkdError(text)
    return text
