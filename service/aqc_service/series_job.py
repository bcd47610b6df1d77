"""The kind of job "series": several times of one problem; each that is done is kept for good."""

from pathlib import Path
from typing import Any

from aqc import output
from aqc.checkpoint import Checkpoints
from aqc.reached import Reached
from aqc.series import compile_each
from aqc.strict_json import parse_json
from aqc.times import read_problems
from aqc_service.artifacts import sync_files
from aqc_service.child import Orders, Reporter
from aqc_service.compile_job import Kept, Steps, adopt, summarize, within_task
from aqc_service.protocol import Task


def run(task: Task, reporter: Reporter, orders: Orders) -> dict[str, Any]:
    """Compile one time after another; go on after the last one that an earlier attempt ended.

    Returns:
        A summary of the last time's result, with the evaluations of all.

    Raises:
        Stopped: If it was told to stop; the checkpoint then holds the newest state.
    """
    problems = [within_task(one, task) for one in read_problems(parse_json(task.problem))]
    done = _Done(task, reporter)
    steps = Steps(reporter, orders)

    def keep(number: int) -> Kept:
        steps.kept = Kept(task, problems[number - 1], reporter, orders, number)
        return steps.kept

    series = compile_each(problems, progress=steps, keep=keep, before=done.reached)
    while not done.rows or (len(done.rows) < len(problems) and not orders.finish.is_set()):
        result, reached = next(series)
        steps.tell_writing()
        output.write_result(done.folder(reached.count), result, result.problem, draw=False)
        done.add(reached, is_whole=result.status != "interrupted")
    return done.conclude(len(problems))


class _Done:
    """The times that are done: their files, and what the next one goes on from.

    Attributes:
        reached: How far earlier attempts came.
        rows: As series.json holds them.
    """

    def __init__(self, task: Task, reporter: Reporter):
        self._directory, self._reporter = Path(task.directory), reporter
        earlier = [Path(path) for path in task.earlier]
        checkpoint = self._directory / "checkpoint"
        self._kept = Checkpoints(checkpoint, task.problem)
        adopt([path / "checkpoint" for path in earlier], checkpoint, reporter)
        arrays = self._kept.load("reached")
        self.reached = None if arrays is None else Reached.restored(arrays)
        self.rows: list[dict[str, Any]] = []
        for number in range(1, self.reached.count + 1 if self.reached else 1):
            folder = self.folder(number)
            places = (path / folder.relative_to(self._directory) for path in earlier)
            _link(next(place for place in places if (place / output.RESULT).exists()), folder)
            self._tell(number)

    def folder(self, number: int) -> Path:
        """Return where the files of a time go."""
        return self._directory / "out" / f"time_{number}"

    def add(self, reached: Reached, *, is_whole: bool) -> None:
        """Keep a time whose files are written; one that was cut short is done again by a retry."""
        sync_files(self.folder(reached.count))
        if is_whole:
            self._kept.save("reached", reached.arrays())
        self._tell(reached.count)

    def conclude(self, count: int) -> dict[str, Any]:
        """Put the last time's files where those of a single compile are; return the summary."""
        last = self.folder(len(self.rows))
        _link(last, last.parent)
        output.write_series(last.parent, self.rows)
        summary = summarize(output.read_result(last))
        summary["evaluations"] = sum(row["evaluations"] for row in self.rows)
        if len(self.rows) < count:
            summary["status"] = "interrupted"
        return summary | {"times": len(self.rows)}

    def _tell(self, number: int) -> None:
        folder = self.folder(number)
        self.rows.append(output.series_row(output.read_result(folder), folder.name))
        self._reporter.send("time", number=number, **self.rows[-1])


def _link(folder: Path, into: Path) -> None:
    """Give the files of a folder second names in another one; result.json says that all are."""
    into.mkdir(parents=True, exist_ok=True)
    for file in sorted(folder.iterdir(), key=lambda file: file.name == output.RESULT):
        (into / file.name).hardlink_to(file)
