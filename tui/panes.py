"""The panes that runs and sweeps both have."""

from __future__ import annotations

from collections.abc import Callable

from bkd.paths import RunFolder
from bkd.store import Store
from tui.widgets.pane import Pane


def shared_panes(store: Store, folder: RunFolder) -> dict[str, Callable[[], Pane]]:
    """Return what makes each pane, by its name; a pane's module is imported when it is first made."""

    def config() -> Pane:
        from tui.widgets.config_pane import ConfigPane

        return ConfigPane(store.root)

    def lineage() -> Pane:
        from tui.widgets.lineage_pane import LineagePane

        return LineagePane(store)

    def system() -> Pane:
        from tui.widgets.system_pane import SystemPane

        return SystemPane(folder)

    def events() -> Pane:
        from tui.widgets.events_pane import EventsPane

        return EventsPane(folder.events)

    def output() -> Pane:
        from tui.widgets.output_pane import OutputPane

        return OutputPane(folder.log)

    return {"Config": config, "Lineage": lineage, "System": system, "Events": events, "Output": output}
