"""The child that makes teachers without training: fitted to one pass of the data, or combined from others."""

import time
from collections.abc import Mapping
from typing import Any

from bkd import checkpoint, events
from bkd.assemble import Data, build_recipe, count_parameters, shape_of
from bkd.child import FINAL_REPETITIONS, Child
from bkd.devices import Machine
from bkd.evaluate import Sampling
from bkd.kinds.table import load_kind
from bkd.recorder import Record
from bkd.runfile import Status
from bkd.teachers import Teacher


class MakeChild(Child):
    """Makes one teacher whose kind has `fit` or `combine`; stopped or lost, it begins again."""

    def work(self) -> None:
        """Make the teacher, evaluate it on validation and test images, end."""
        [(name, spec)] = self.open_specs().items()
        record = self.records[name]
        events.truncate(record.folder.events, 0)  # it begins again
        machine, data = self.open_data(spec)
        began = time.monotonic()
        kind = load_kind(spec.kind)
        if kind.combine is not None:
            predictor = kind.combine(spec, self.open_sources(spec, data, machine)).freeze()
            self.note_start(name, data, machine, 0, ())
            figures: Mapping[str, float | None] = {}
        else:
            predictor, figures = self._fit(record, spec, data, machine)
        sampling = Sampling(getattr(spec, "bnn_test_samples", 1), FINAL_REPETITIONS, spec.seed)
        record.run["metrics"] = dict(figures)
        for split in ("val", "test") if len(data.split.val) else ("test",):
            self.evaluate(record, predictor, data, sampling, split)
        values = record.run["metrics"] | {"time/step_s": round(time.monotonic() - began, 6)}
        record.writer.write("epoch", step=1, epoch=0, values=values, sync=True)
        record.run["epoch"] = 1
        record.end(Status.DONE, step=1)

    def _fit(
        self, record: Record, spec: Any, data: Data, machine: Machine
    ) -> tuple[Teacher, Mapping[str, float | None]]:
        kind = load_kind(spec.kind)
        assert kind.fit is not None, spec.kind
        assert kind.teacher is not None, spec.kind
        recipe = build_recipe(spec, shape_of(data))
        network = recipe.network.to(machine.device)
        self.note_start(record.run["id"], data, machine, count_parameters(network), recipe.notes)
        figures = kind.fit(network, spec, self.material(spec, data, machine))
        checkpoint.write_weights_file(record.folder.last_weights, network.state_dict())
        network.eval()
        return kind.teacher(network, spec).freeze(), figures
