"""The report of one run: tables of plain text for people, one JSON document for programs.

In: what was measured. Out: text. Medians over the rounds; a ratio is the median of the ratios within each round.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from statistics import median

import orjson

from benchmarks import overload
from benchmarks.measure import HELD_STREAMS, Sample
from benchmarks.programs import GATEWAY, GOVERNED, PROVIDER
from benchmarks.verdicts import Results, Verdict


def text(results: Results, verdicts: Sequence[Verdict], notes: Iterable[str]) -> str:
    """Returns the whole report."""
    overloads = [overload.text(each) for each in results.overloads]
    sections = [_loads(results), _memory(results), _starts(results), *overloads, _verdicts(verdicts), "\n".join(notes)]
    return "\n\n".join(section for section in sections if section)


def json(results: Results, verdicts: Sequence[Verdict], run: Mapping[str, object]) -> bytes:
    """Returns everything that was measured, every round of it, and the verdicts."""
    document = {
        "run": run,
        "samples": [{**asdict(each), "cpu_us_per_chunk": each.cpu_us_per_chunk} for each in results.samples],
        "memory": [asdict(each) for each in results.memories],
        "starts": [asdict(each) for each in results.starts],
        "overload": [asdict(each) for each in results.overloads],
        "verdicts": [asdict(each) for each in verdicts],
    }
    return orjson.dumps(document, option=orjson.OPT_INDENT_2)


def _loads(results: Results) -> str:
    head = (
        *("load", "program", "req/s", "p50 ms", "p99 ms", "added p50", "added p99"),
        *("CPU us/request", "CPU us/chunk", "x base"),
    )
    rows = [
        _load_row(results, face, scenario, program)
        for face, scenario, program in dict.fromkeys((each.face, each.scenario, each.program) for each in results.samples)
    ]
    return _table(head, rows, left=2)


def _load_row(results: Results, face: str, scenario: str, program: str) -> list[str]:
    samples = results.of(face, scenario, program)
    ratios = results.ratios(face, scenario, program)

    base = GATEWAY if face == GOVERNED else PROVIDER

    def middle(value: Callable[[Sample], float]) -> float:
        return median(value(sample) for sample in samples)

    def added(value: Callable[[Sample], float]) -> str:
        return "" if program == base else _number(results.added_ms(face, scenario, program, value), 2)

    return [
        *(f"{face} {scenario}", program, f"{middle(lambda sample: sample.requests_per_s):,.0f}"),
        *(_number(middle(lambda sample: sample.p50_ms), 2), _number(middle(lambda sample: sample.p99_ms), 2)),
        *(added(lambda sample: sample.p50_ms), added(lambda sample: sample.p99_ms)),
        _number(middle(lambda sample: sample.cpu_us_per_request), 0),
        _number(middle(lambda sample: sample.cpu_us_per_chunk) or None, 1),
        "" if program == PROVIDER or not ratios else _number(median(ratios), 2),
    ]


def _memory(results: Results) -> str:
    head = ("memory, MB", "idle", f"{HELD_STREAMS} slow streams", "more", "afterwards", "seconds after")
    rows = [
        [each.program]
        + [f"{value:.1f}" for value in (each.idle_mb, each.held_mb, each.held_mb - each.idle_mb, each.after_mb)]
        + [f"{each.after_s:.0f}"]
        for each in results.memories
    ]
    return _table(head, rows, left=1)


def _starts(results: Results) -> str:
    rows = []
    for program in dict.fromkeys(each.program for each in results.starts):
        starts = [each for each in results.starts if each.program == program]
        durations = [each.duration_s for each in starts if each.duration_s is not None]
        figures = [f"{figure(durations):.2f}" if durations else "" for figure in (median, min, max)]
        rows.append([program, *figures, str(len(starts) - len(durations))])
    return _table(("start to first answer, s", "median", "least", "most", "failed"), rows, left=1)


def _verdicts(verdicts: Sequence[Verdict]) -> str:
    rows = [[each.what, each.must, each.measured, each.verdict] for each in verdicts]
    return _table(("gateway", "must", "measured", "verdict"), rows, left=4)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], left: int) -> str:
    """Lays out a table whose first `left` columns are aligned to the left; no rows, no table."""
    if not rows:
        return ""
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    lines = [
        "  ".join(
            cell.ljust(width) if column < left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in [head, ["-" * width for width in widths], *rows]
    ]
    return "\n".join(line.rstrip() for line in lines)


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:,.{digits}f}"
