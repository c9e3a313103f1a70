"""One peer, one run: ask every question at an OpenAI-compatible endpoint, score the answers, say what it took.

Runs in an environment of the peers' own (benchmarks/peers/requirements-evaluate.txt), started by
`python -m benchmarks.evaluate_peers`. The score is the same plain one everywhere (does the answer contain a
word), so that the runner shows. Timed is the work after the imports; the last line printed is JSON.
"""

import asyncio
import json
import sys
import time
from collections.abc import Callable

CONCURRENCY = 32
MODEL, WORD = "bench", "sky"
Work = Callable[[list[str]], int]


def inspect_ai(url: str) -> Work:
    from inspect_ai import Task, eval
    from inspect_ai.dataset import MemoryDataset, Sample
    from inspect_ai.model import get_model
    from inspect_ai.scorer import includes
    from inspect_ai.solver import generate

    def work(questions: list[str]) -> int:
        task = Task(
            dataset=MemoryDataset([Sample(input=text, target=WORD) for text in questions]),
            solver=generate(),
            scorer=includes(),
        )
        model = get_model(f"openai/{MODEL}", base_url=url, api_key="none", memoize=False, responses_api=False)
        (log,) = eval(task, model=model, max_connections=CONCURRENCY, max_samples=CONCURRENCY, display="none")
        return len(log.samples or [])

    return work


def deepeval(url: str) -> Work:
    from deepeval import evaluate
    from deepeval.evaluate import AsyncConfig, CacheConfig, DisplayConfig
    from deepeval.metrics import BaseMetric
    from deepeval.test_case import LLMTestCase
    from openai import AsyncOpenAI

    client = AsyncOpenAI(base_url=url, api_key="none", max_retries=0)

    class Contains(BaseMetric):
        threshold, async_mode, include_reason = 0.5, True, False

        def measure(self, test_case: LLMTestCase) -> float:
            return asyncio.run(self.a_measure(test_case))

        async def a_measure(self, test_case: LLMTestCase, *_args: object, **_kwargs: object) -> float:
            text = await asked(client, test_case.input)
            self.score, self.success = float(WORD in text), WORD in text
            return self.score

        def is_successful(self) -> bool:
            return self.success

    def work(questions: list[str]) -> int:
        cases = [LLMTestCase(input=text, actual_output="") for text in questions]
        result = evaluate(
            cases,
            [Contains()],
            async_config=AsyncConfig(max_concurrent=CONCURRENCY),
            display_config=DisplayConfig(show_indicator=False, print_results=False, inspect_after_run=False),
            cache_config=CacheConfig(write_cache=False),
        )
        return len(result.test_results)

    return work


def ragas(url: str) -> Work:
    from openai import AsyncOpenAI
    from ragas import Dataset, experiment

    client = AsyncOpenAI(base_url=url, api_key="none", max_retries=0)
    gate = asyncio.Semaphore(CONCURRENCY)

    @experiment()
    async def one(row: dict[str, str]) -> dict[str, object]:
        async with gate:
            text = await asked(client, row["question"])
        return {**row, "answer": text, "score": float(WORD in text)}

    def work(questions: list[str]) -> int:
        data = Dataset(name="bench", backend="inmemory", data=[{"question": text} for text in questions])
        return len(list(asyncio.run(one.arun(data, name="bench"))))

    return work


def openai_loop(url: str) -> Work:
    """The bare limit: the SDK's own asynchronous client under a semaphore."""
    from openai import AsyncOpenAI

    async def all_of(questions: list[str]) -> list[str]:
        gate = asyncio.Semaphore(CONCURRENCY)
        async with AsyncOpenAI(base_url=url, api_key="none", max_retries=0) as client:

            async def one(text: str) -> str:
                async with gate:
                    return await asked(client, text)

            return await asyncio.gather(*map(one, questions))

    return lambda questions: sum(WORD in text for text in asyncio.run(all_of(questions)))


async def asked(client: object, question: str) -> str:
    message = {"role": "user", "content": question}
    reply = await client.chat.completions.create(model=MODEL, messages=[message], temperature=0)  # type: ignore[attr-defined]
    return str(reply.choices[0].message.content)


PEERS = {"SDK loop": openai_loop, "DeepEval": deepeval, "Ragas": ragas, "Inspect": inspect_ai}


def main(peer: str, url: str, questions: str) -> None:
    """Print what the run took."""
    texts = [f"Question {number}: is the sky blue?" for number in range(int(questions))]
    work = PEERS[peer](url)
    loaded, wall, cpu = time.process_time(), time.perf_counter(), time.process_time()
    done = work(texts)
    taken = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu, "loaded": loaded, "rows": done}
    print(json.dumps(taken))


if __name__ == "__main__":
    main(*sys.argv[1:])
