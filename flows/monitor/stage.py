"""Stage `monitor`: the calls log becomes daily channels, alarms and provider changes.

Everything is a function of the stored log; "today" is its last complete UTC day. So a lost event
or a server that was down for a week loses nothing: the next run finds the same alarms.
"""

from typing import TYPE_CHECKING, Any

from flows.core.calls import compact, log_sha256, read_calls
from flows.core.clock import Clock, utc_now
from flows.core.files import replacing, write_json
from flows.core.main import run_stage_main
from flows.core.progress import Progress, silent
from flows.core.project import Project
from flows.core.runs import Job, RunRecord
from flows.monitor.params import MonitorParams

if TYPE_CHECKING:
    import pandas as pd

    from flows.monitor.drift import Watched


def run(
    project_dir: str = ".",
    *,
    force: bool = False,
    max_usd: float | None = None,
    progress: Progress = silent,
    clock: Clock = utc_now,
) -> RunRecord:
    """Turn the calls log into daily channels and alarms."""
    project = Project.open(project_dir)
    params = MonitorParams.load(project)
    torn = compact(project)
    extra = {"calls": log_sha256(project)}
    job = Job(project, "monitor", params=params.model_dump(mode="json"), extra=extra, clock=clock)
    if not force and (done := job.unchanged()):
        return done
    with job.running() as record:
        channels, alarms = project.data("monitor", "channels.parquet"), project.data("monitor", "alarms.json")
        result = look(project, params, progress)
        with replacing(channels) as temporary:
            result.pop("frame").to_parquet(temporary, compression="zstd", index=False)
        write_json(alarms, result)
        job.add_outputs(record, channels, alarms)
        record.counts = result["counts"] | {"torn_lines": torn}
        record.summary = _summary(result)
    return record


def run_summary(project_dir: str = ".", *, force: bool = False, max_usd: float | None = None) -> str:
    """Run the stage and return its one-line summary."""
    return run(project_dir, force=force, max_usd=max_usd).summary


def look(project: Project, params: MonitorParams, progress: Progress) -> dict[str, Any]:
    """Compute channels (key `frame`), alarms and provider changes over the whole log."""
    from flows.monitor.channels import CHANNELS, daily, traffic
    from flows.monitor.drift import watch
    from flows.monitor.providers import changes
    from flows.stats.ecusum import AlarmPolicy

    answers = traffic(read_calls(project), params.own_use_cases)
    policy = AlarmPolicy(
        days_per_false_alarm=params.false_alarm_days, allowance=params.allowance, reference_days=params.reference_days
    )
    watched: list[Watched] = []
    for number, channel in enumerate(CHANNELS if len(answers) else (), 1):
        days = daily(answers, channel, answers_min=params.calls_per_day_min)
        watched.append(watch(days, channels=len(CHANNELS), policy=policy))
        progress("channels", number, len(CHANNELS))
    alarms = sorted((alarm for item in watched for alarm in item.alarms), key=lambda alarm: (alarm.day, alarm.channel))
    moved = changes(answers, share_min=params.provider_share_min)
    return {
        "frame": _frame(watched),
        "as_of": str(answers["started_at"].max().date()) if len(answers) else None,
        "false_alarms": f"one in {params.false_alarm_days} days over {len(CHANNELS)} channels",
        "alarms": [alarm.to_json() for alarm in alarms],
        "provider_changes": [change.to_json() for change in moved],
        "learning": [item.days.channel.name for item in watched if item.learning],
        "counts": {"answers": len(answers), "alarms": len(alarms), "provider_changes": len(moved)},
    }


def _frame(watched: "list[Watched]") -> "pd.DataFrame":
    import pandas as pd

    columns = ["ds", "channel", "unit", "mean", "answers", "z", "log_e", "alarm"]
    frames = [
        pd.DataFrame(
            {
                "ds": item.days.dates,
                "channel": item.days.channel.name,
                "unit": item.days.channel.unit,
                "mean": item.days.mean,
                "answers": item.days.answers,
                "z": item.z,
                "log_e": item.log_e,
                "alarm": item.days.dates.strftime("%Y-%m-%d").isin([alarm.day for alarm in item.alarms]),
            }
        )
        for item in watched
    ]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=columns)


def _summary(result: dict[str, Any]) -> str:
    if result["as_of"] is None:
        return "no production calls logged yet: nothing to watch"
    parts = [f"{result['counts']['answers']:,} answers to {result['as_of']}"]
    for change in result["provider_changes"]:
        parts.append(f"provider changed {change['request_model']} on {change['day']}")
    noticed = [f"{alarm['channel']} {alarm['direction']} ({alarm['day']})" for alarm in result["alarms"]]
    parts.append(f"{len(noticed)} alarms: {', '.join(noticed)}" if noticed else "no alarm")
    if result["learning"]:
        parts.append(f"{len(result['learning'])} channels are learning")
    return "; ".join(parts)


def main() -> None:
    """Run from the command line."""
    run_stage_main(run)


if __name__ == "__main__":
    main()
