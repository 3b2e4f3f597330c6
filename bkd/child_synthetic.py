"""The child of the synthetic experiment; stopped or lost, it begins again, which costs a minute."""

import orjson
import torch

from bkd import events
from bkd.child import Child
from bkd.files import write_bytes
from bkd.runfile import Status
from bkd.synthetic.experiment import run_synthetic


class SyntheticChild(Child):
    """Runs the arms in lockstep and keeps their curves."""

    def work(self) -> None:
        """Run the experiment, write curves and comparison, end as done or stopped."""
        [(name, spec)] = self.open_specs().items()
        record = self.records[name]
        events.truncate(record.folder.events, 0)
        record.writer = events.EventWriter(record.folder.events)
        torch.set_num_threads(spec.threads or 1)  # tensors so small that threads only get in each other's way
        settings = spec.settings()
        record.run["environment"] = {"device": "cpu", "threads": torch.get_num_threads(), "torch": torch.__version__}
        record.save()
        record.writer.write("state", step=0, epoch=0, values={"status": Status.RUNNING.value})
        self.register(record)
        per_epoch = settings.steps // settings.epochs

        def note(step: int, figures: dict[str, float]) -> None:
            record.writer.write("step", step=step, epoch=min(step // per_epoch, settings.epochs - 1), values=figures)

        result = run_synthetic(settings, note, lambda: self.flag.is_set)
        write_bytes(record.folder.path / "result.json", orjson.dumps(result))
        record.run["results"] = {"synthetic": {key: value for key, value in result.items() if key != "curves"}}
        record.run["metrics"] = {
            f"synthetic/{figure}_{arm}": own[figure]
            for arm, own in result["arms"].items()
            for figure in ("gap", "loss_sd", "noise_ratio", "acc")
            if own.get(figure) is not None
        } | {"synthetic/bayes_loss": result["bayes_loss"]}
        record.run["epoch"] = result["steps"] // per_epoch
        values = {key: value for key, value in record.run["metrics"].items() if value is not None}
        record.writer.write("epoch", step=result["steps"], epoch=settings.epochs - 1, values=values, sync=True)
        record.end(Status.DONE if result["finished"] else Status.STOPPED, step=result["steps"])
