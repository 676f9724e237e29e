"""What several patterns end with: writing the answer from what was found, the critic, and the last node."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from llmflow_agent import injection
from llmflow_agent.answer import checked, early, ended_because, usable
from llmflow_agent.errors import Ended
from llmflow_agent.replies import JsonReply, Unreadable
from llmflow_agent.state import State
from llmflow_agent.texts import VERDICT
from llmflow_agent.worker import Worker, conversation, node, outcomes

REVISIONS = 2  # after which an answer goes out with the critic's objections
SEEN = 800  # characters of a result that the critic sees


class Verdict(JsonReply):
    """What the critic writes."""

    verdict: Literal["accept", "rewrite", "rework"]
    problems: tuple[str, ...] = ()


@node
def write(state: State, worker: Worker) -> State:
    """Write the answer from what the steps came to; it is shown at once where no critic looks at it first."""
    texts = worker.run.texts
    again = ""
    if state.get("problems"):
        problems = listed(state["problems"])
        again = texts.write_again.format(draft=state.get("draft", ""), problems=problems)
    messages = conversation(worker, texts.writer, findings(state, worker), again)
    log = worker.begin("write")
    try:
        text = worker.ask(messages, (), log.id, speak=not worker.run.critic).text
    except Unreadable:
        text = ""
    worker.finish(log, {"draft": text})
    return {"draft": text} if text else {"draft": "", "ended": state.get("ended") or "empty"}


@node
def criticise(state: State, worker: Worker) -> State:
    """Look at the draft before it goes out."""
    texts = worker.run.texts
    log = worker.begin("critic")
    asked = (
        texts.critic.format(form=VERDICT),
        findings(state, worker),
        _seen(state, worker),
        f"---\n{state['draft']}",
    )
    try:
        found = worker.ask_json(conversation(worker, "", *asked), Verdict, VERDICT, log.id)
    except Ended as ended:  # the draft is ready, and goes out without a review
        return {"verdict": "accept", "ended": ended.reason}
    worker.finish(log, found.model_dump(mode="json") if found else {})
    if found is None:
        worker.note("review-unreadable")
    if found is None or found.verdict == "accept":
        return {"verdict": "accept"}
    if state.get("revisions", 0) >= REVISIONS:
        worker.note("review-refused", problems=" ".join(found.problems))
        return {"verdict": "accept"}
    problems = found.problems or (found.verdict,)
    return {"verdict": found.verdict, "problems": problems, "revisions": state.get("revisions", 0) + 1}


@node
def finish(state: State, worker: Worker) -> State:
    """The answer as it goes out: citations checked, and said why where a budget or a circle ended the run."""
    run, ended = worker.run, state.get("ended") or "answered"
    results = state.get("results", ())
    text = state.get("draft", "") or (state["desk"].report if state["desk"].state == "done" else "")
    cited = checked(text, usable(results))
    if cited.dropped:
        worker.note("dropped-citation", count=len(cited.dropped), refs=", ".join(cited.dropped))
    final = cited.text
    ended = "empty" if ended == "answered" and not final else ended
    if ended != "answered":
        limits, spent, words = run.limits, worker.spent, run.texts
        because = ended_because(ended, limits, spent, words)
        steps = state.get("steps", ())
        final = f"{final}\n\n({because})" if final else early(ended, results, steps, limits, spent, words)
    shown = worker.streamed.strip()
    goes_on = bool(shown) and final.startswith(shown)
    worker.say(final[len(shown) :] if goes_on else final, goes_on)
    return {"draft": final, "ended": ended, "dropped": cited.dropped}


def findings(state: State, worker: Worker) -> str:
    """What the steps came to; where there are none, the results themselves."""
    return outcomes(state.get("steps", ()), worker) or _seen(state, worker)


def listed(problems: Sequence[str]) -> str:
    """The critic's problems, as lines."""
    return "\n".join(f"- {problem}" for problem in problems)


def _seen(state: State, worker: Worker) -> str:
    run = worker.run
    return "\n".join(
        injection.fenced(
            ref,
            one.call.name,
            injection.cut(one.text, SEEN, run.texts),
            run.fence,
            bool(one.orders),
            run.texts,
        )
        for ref, one in usable(state.get("results", ())).items()
    )
