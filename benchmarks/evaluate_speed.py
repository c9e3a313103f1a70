"""How fast an evaluation asks: 500 questions to an OpenAI-compatible server that takes 50 ms, 32 at once.

`python -m benchmarks.evaluate_speed` runs the openai SDK's own asyncio loop and `llmops evaluate target` in turns
(A B A B …) in one process and prints wall and processor time of the call phase, their ratios, the processor
time of a whole evaluation (scored and judged) per question, and the calls of an unchanged second run.

`python -m benchmarks.evaluate_speed --serve --port 8900` only serves, so that other tools can be measured against the
same server; GET /count tells how many completions it gave.
"""

import argparse
import asyncio
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from urllib.request import urlopen

import pandas as pd

MODEL, QUESTIONS, AT_ONCE, LATENCY_MS, ROUNDS = "bench-1", 500, 32, 50.0, 4
Times = tuple[float, float]  # wall and processor seconds


async def serve(port: int, latency_ms: float) -> None:
    """Answer chat completions after a fixed time, on loopback, until stopped."""
    given = [0]

    async def connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = re.search(rb"content-length: *(\d+)", head, re.I)
                body = await reader.readexactly(int(length[1])) if length else b""
                if head.startswith(b"GET /count"):
                    answer = {"count": given[0]}
                else:
                    await asyncio.sleep(latency_ms / 1000)
                    given[0] += 1
                    answer = completion(json.loads(body))
                data = json.dumps(answer).encode()
                head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(data)
                writer.write(head + data)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(connection, "127.0.0.1", port)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", flush=True)
    await server.serve_forever()


def completion(request: dict) -> dict:
    """Return an answer that repeats the question's last words."""
    said = f"It is {request['messages'][-1]['content'][-40:]}"
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": said, "refusal": None}}
    usage = {"prompt_tokens": 20, "completion_tokens": 12, "total_tokens": 32}
    return {"id": "c", "object": "chat.completion", "created": 1, "model": request["model"], "choices": [choice],
            "usage": usage}  # fmt: skip


@contextmanager
def running_server(latency_ms: float) -> Iterator[str]:
    """Serve in a process of its own, so that its processor time is not counted."""
    command = [sys.executable, "-m", "benchmarks.evaluate_speed", "--serve", "--latency-ms", str(latency_ms)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait()


def timed(work: Callable[[], object]) -> Times:
    """Return wall and processor seconds of some work."""
    wall, used = perf_counter(), process_time()
    work()
    return perf_counter() - wall, process_time() - used


def texts(mark: str, n: int) -> list[str]:
    """Return questions that no run before has asked."""
    return [f"What is the number of thing {i} in round {mark}?" for i in range(n)]


def by_sdk(url: str, questions: list[str], at_once: int) -> Times:
    """Ask by the SDK alone: one client, one semaphore, all questions at once."""
    from openai import AsyncOpenAI

    async def ask() -> None:
        client, slots = AsyncOpenAI(base_url=url, api_key="none", max_retries=0), asyncio.Semaphore(at_once)

        async def one(question: str) -> None:
            async with slots:
                await client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": question}])

        await asyncio.gather(*map(one, questions))
        await client.close()

    return timed(lambda: asyncio.run(ask()))


def by_us(root: Path, url: str, questions: list[str]) -> tuple[Times, Times, int | None]:
    """Return the call phase, the whole evaluation, and its calls."""
    from flows.core.progress import silent
    from flows.core.project import Project
    from flows.evaluate.answering import wanted
    from flows.evaluate.params import EvaluateParams
    from flows.evaluate.questionfile import read_questions
    from flows.evaluate.targets_endpoint import Endpoint
    from flows.evaluate.targets_run import judge, measure

    file = root / "questions.csv"
    pd.DataFrame({"question": questions, "reference_answer": questions}).to_csv(file, index=False)
    project = Project.open(root)
    params, table, target = EvaluateParams.load(project), read_questions(file), Endpoint(project, url, model=MODEL)
    calls = timed(lambda: target.answer(wanted(table, 1), progress=silent))
    found = []

    def whole() -> None:  # the answers come from the cache: scoring, judging, parts
        side = measure(target, table, params, samples=1)
        found.append(judge(side, None, table, params, today=date(2026, 12, 1)).verdict)

    rest = timed(whole)
    return calls, (calls[0] + rest[0], calls[1] + rest[1]), found[0]["calls"]


def compare(n: int, at_once: int, latency_ms: float, rounds: int) -> dict[str, float]:
    """Return medians over rounds in which both sides asked in turns."""
    with tempfile.TemporaryDirectory() as folder, running_server(latency_ms) as url:
        root = Path(folder)
        (root / "params.yaml").write_text(f"provider: {{concurrency: {at_once}, allow_unpriced: true}}\n")
        by_sdk(url, texts("warm", at_once), at_once)
        by_us(root, url, texts("warm too", at_once))
        theirs, ours, again = [], [], 0
        for number in range(rounds):
            theirs.append(by_sdk(url, texts(f"sdk {number}", n), at_once))
            before = count(url)
            ours.append(by_us(root, url, texts(f"us {number}", n)))
            again += count(url) - before - n + (ours[-1][2] or 0)
        walls = [one[0][0] / other[0] for one, other in zip(ours, theirs, strict=True)]
        used = [one[0][1] / other[1] for one, other in zip(ours, theirs, strict=True)]
        return {
            "wall_s_sdk": median(one[0] for one in theirs), "wall_s_ours": median(one[0][0] for one in ours),
            "wall_ratio": median(walls), "cpu_ratio": median(used),
            "cpu_ms_per_question_sdk": 1000 * median(one[1] for one in theirs) / n,
            "cpu_ms_per_question_calls": 1000 * median(one[0][1] for one in ours) / n,
            "cpu_ms_per_question_whole": 1000 * median(one[1][1] for one in ours) / n,
            "calls_of_unchanged_reruns": again,
        }  # fmt: skip


def count(url: str) -> int:
    """Return how many completions the server has given."""
    with urlopen(f"{url.removesuffix('/v1')}/count") as answer:
        return json.load(answer)["count"]


def main() -> None:
    """Serve, or compare and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--serve", action="store_true", help="only serve")
    parser.add_argument("--port", type=int, default=0, help="port to serve on (any free one)")
    parser.add_argument("--latency-ms", type=float, default=LATENCY_MS)
    parser.add_argument("--questions", type=int, default=QUESTIONS)
    parser.add_argument("--at-once", type=int, default=AT_ONCE)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    if options.serve:
        asyncio.run(serve(options.port, options.latency_ms))
        return
    for name, value in compare(options.questions, options.at_once, options.latency_ms, options.rounds).items():
        print(f"{name:<28} {value:.3f}")


if __name__ == "__main__":
    main()
