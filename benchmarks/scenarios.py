"""What is asked of the programs: each scenario is one load, repeated over the rounds for each program in turn."""

from dataclasses import dataclass, replace

from benchmarks import answers

PROMPT_BYTES = 100_000
_CONCURRENCIES = (1, 16, 64, 256)


@dataclass(frozen=True, slots=True)
class Scenario:
    """One load. `face` is `rest`, `grpc`, or `governed`, which is the REST face too.

    `direct`: the provider is loaded too, without anything before it.
    """

    name: str
    face: str
    model: str
    concurrency: int
    requests: int
    prompt_bytes: int = 0
    direct: bool = False

    @property
    def stream(self) -> bool:
        """Whether the answers are streams."""
        return self.model != answers.UNARY_MODEL

    @property
    def key(self) -> str:
        """Its name and concurrency, by which the report finds it."""
        return f"{self.name} c={self.concurrency}"


def rest(requests: int) -> list[Scenario]:
    """Lists the scenarios of the REST face; `requests` is how many small unstreamed ones a load has."""
    return [
        *(_scenario("unary", "rest", answers.UNARY_MODEL, c, requests, direct=c == 1) for c in _CONCURRENCIES),
        *(_scenario("stream at once", "rest", answers.BURST_MODEL, c, requests // 4, direct=c == 1) for c in _CONCURRENCIES),
        _scenario("stream each 5 ms", "rest", answers.PACED_MODEL, 64, requests // 10),
        replace(_scenario("100 KB prompt", "rest", answers.UNARY_MODEL, 16, requests // 4), prompt_bytes=PROMPT_BYTES),
    ]


def grpc(requests: int) -> list[Scenario]:
    """Lists the scenarios of the gRPC face.

    The paced streams are fewer than on the REST face: more would keep a core busy by gRPC alone.
    """
    return [
        *(_scenario("unary", "grpc", answers.UNARY_MODEL, c, requests // 2) for c in _CONCURRENCIES),
        *(_scenario("stream at once", "grpc", answers.BURST_MODEL, c, requests // 8) for c in _CONCURRENCIES),
        _scenario("stream each 5 ms", "grpc", answers.PACED_MODEL, 16, requests // 20),
    ]


def governed(requests: int) -> list[Scenario]:
    """Lists the scenarios by which the governed lane, on the REST face, is compared with the ungoverned one."""
    return [
        *(_scenario("unary", "governed", answers.UNARY_MODEL, c, requests) for c in (1, 16, 64)),
        _scenario("stream at once", "governed", answers.BURST_MODEL, 64, requests // 4),
    ]


def _scenario(name: str, face: str, model: str, concurrency: int, requests: int, direct: bool = False) -> Scenario:
    """Rounds the requests so that every connection has the same number of them, and at least two."""
    each = max(2, requests // concurrency)
    return Scenario(name, face, model, concurrency, each * concurrency, direct=direct)
