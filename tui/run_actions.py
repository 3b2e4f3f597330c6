"""What keys do to the run that a screen is about: stop, resume, delete, describe."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, cast

from bkd.runfile import UNFINISHED, is_unknown
from bkd.store import heirs_text
from tui.held_screen import HeldScreen
from tui.messages import Row
from tui.run_columns import is_sweep

if TYPE_CHECKING:
    from bkd.paths import RunFolder
    from bkd.store import Store
    from tui.app import BkdApp


class RunActions(HeldScreen[None]):
    """A screen with a run of its own or one under a cursor."""

    store: Store

    def target(self) -> Row | None:
        """Return the row or run.json of the run that keys act on."""
        raise NotImplementedError

    def action_stop_run(self) -> None:
        """Ask the run to stop after its step."""
        run = self._target_or_say()
        if run is None:
            return
        if run["status"] in UNFINISHED:
            self.notify(f"Stopping {run['id']} after its step ...", markup=False)

        def stop() -> str:
            from bkd.actions import stop_run

            return f"{run['id']} is {stop_run(self.store, run['id'])}. r resumes it."

        self.run_task(stop)

    def action_resume_run(self) -> None:
        """Start the run again from its last checkpoint."""
        run = self._target_or_say()
        if run is None:
            return

        def resume() -> str:
            from bkd.actions import resume as resume_run

            return resumed_text(run, resume_run(self.store, run["id"]))

        self.run_task(resume)

    def action_delete_run(self) -> None:
        """Ask for the run's id, then delete it."""
        run = self._target_or_say()
        if run is None:
            return
        from tui.screens.confirm import ConfirmScreen

        heirs = self.store.heirs_of(str(run["id"])) if run.get("role") == "teacher" else []
        is_forced = bool(heirs) or is_unknown(str(run["status"]))
        word = f"{run['id']} force" if is_forced else str(run["id"])

        def answered(is_sure: bool | None) -> None:
            if is_sure:
                self._delete(str(run["id"]), force=is_forced)

        self.app.clear_notifications()  # on a small terminal they would cover the question
        self.app.push_screen(ConfirmScreen(f"Delete {run.get('name')}?", deletion_text(run, heirs), word), answered)

    def _delete(self, run_id: str, *, force: bool) -> None:
        def delete() -> str:
            from bkd.actions import delete as delete_run

            return f"{delete_run(self.store, run_id, force=force)['name']} was deleted."

        self.run_task(delete)

    def action_edit_tags(self) -> None:
        """Ask for the run's tags."""
        run = self._target_or_say()
        if run is None:
            return
        from tui.screens.tags import TagsScreen

        before = [str(tag) for tag in run.get("tags") or ()]

        def answered(tags: list[str] | None) -> None:
            if tags is not None and tags != before:
                self._describe(str(run["id"]), tags, before)

        self.app.push_screen(TagsScreen(str(run.get("name")), before), answered)

    def _describe(self, run_id: str, tags: list[str], before: list[str]) -> None:
        def describe() -> str:
            from bkd.actions import describe as describe_run

            describe_run(self.store, run_id, add=tags, drop=[tag for tag in before if tag not in tags])
            return f"Tags of {run_id}: {', '.join(tags) or 'none'}."

        self.run_task(describe)

    def action_duplicate_run(self) -> None:
        """Open the form that launches a run like the selected one, filled with its settings."""
        run = self._target_or_say()
        if run is None:
            return
        from bkd.errors import StorageError
        from tui.duplicates import form_of
        from tui.screens.launch import LaunchScreen

        try:
            found = form_of(self.store.load(self.store.folder(str(run["path"]))))
            rows = self.store.rows()
        except StorageError as error:
            self.notify(str(error), severity="error", markup=False)
            return
        if found is None:
            text = f"There is no form for runs like {run['id']}: `bkd show {run['id']} --command` prints the command."
            self.notify(text, severity="warning", markup=False)
            return
        forms, name, start = found
        self.open_screen(LaunchScreen(self.store, forms, rows, name=name, start=start), self.run_launched)

    def run_launched(self, run_id: str | None) -> None:
        """Tell of the run that was launched from a form."""
        if run_id is not None:
            self.notify(f"{run_id} was launched; it goes on without this app.", markup=False)

    def watch_run(self, row: Row) -> None:
        """Open the view of a run: its curves, or the students of a sweep."""
        if is_sweep(row):
            from tui.screens.sweep import SweepScreen

            self.open_screen(SweepScreen(self.store, row))
        else:
            from tui.screens.run import RunScreen

            self.open_screen(RunScreen(self.store, row))

    def open_screen(self, screen: HeldScreen[Any], answered: Callable[[Any], None] | None = None) -> None:
        """Open a screen that is painted once it is laid out, not part by part."""
        app = cast("BkdApp", self.app)
        app.hold()
        screen.call_after_refresh(lambda: screen.call_after_refresh(app.paint))
        app.push_screen(screen, answered)

    def run_task(self, task: Callable[[], str]) -> None:
        """Have the app run something slow and report it."""
        cast("BkdApp", self.app).run_task(task)

    def _target_or_say(self) -> Row | None:
        run = self.target()
        if run is None:
            self.notify("No run is selected.", severity="warning")
        return run


def resumed_text(run: Row, folder: RunFolder) -> str:
    """Return from where a run goes on that was resumed."""
    if is_sweep(run):
        return f"{run['id']} goes on with the students that are not done."
    if any(folder.checkpoints.glob("*")):
        return f"{run['id']} goes on from its last checkpoint."
    return f"{run['id']} starts again: it has no checkpoint yet."


def deletion_text(run: Row, heirs: Sequence[Row]) -> str:
    """Return what the deletion of a run means.

    Args:
        run: The run.
        heirs: Rows of the runs that came from it.
    """
    if is_sweep(run):
        return "Its list of students and its log are removed for good. Its students stay."
    text = "Its weights, events and log are removed for good."
    if heirs:
        text += f" {heirs_text(heirs)} came from it and would be left without their teacher."
    if is_unknown(str(run["status"])):
        text += f" It may be running on {run.get('host')}, which would then write to what is gone."
    return text
