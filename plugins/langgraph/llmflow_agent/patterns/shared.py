"""What several patterns end with: writing the answer from what was found, the critic, and the last node."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from llmflow_agent import trust
from llmflow_agent.answer import checked, early, ended_because, usable
from llmflow_agent.errors import Ended
from llmflow_agent.forms import Unreadable, Written
from llmflow_agent.sitting import Sitting, conversation, node
from llmflow_agent.state import State
from llmflow_agent.texts import VERDICT
from llmflow_agent.worker import done

REVISIONS = 2  # after which an answer goes out with the critic's objections
SEEN = 800  # characters of a result that the critic sees


class Verdict(Written):
    """What the critic writes."""

    verdict: Literal["accept", "rewrite", "rework"]
    problems: tuple[str, ...] = ()


@node
def write(state: State, sitting: Sitting) -> State:
    """Write the answer from what the steps came to; it is shown at once where no critic looks at it first."""
    texts = sitting.run.texts
    again = ""
    if state.get("problems"):
        problems = listed(state["problems"])
        again = texts.write_again.format(draft=state.get("draft", ""), problems=problems)
    messages = conversation(sitting, texts.writer, findings(state, sitting), again)
    log = sitting.begin("write")
    try:
        text = sitting.turn(messages, (), log.id, speak=not sitting.run.critic).text
    except Unreadable:
        text = ""
    sitting.finish(log, {"draft": text})
    return {"draft": text} if text else {"draft": "", "ended": state.get("ended") or "empty"}


@node
def criticise(state: State, sitting: Sitting) -> State:
    """Look at the draft before it goes out."""
    texts = sitting.run.texts
    log = sitting.begin("critic")
    asked = (
        texts.critic.format(form=VERDICT),
        findings(state, sitting),
        _seen(state, sitting),
        f"---\n{state['draft']}",
    )
    try:
        found = sitting.written(conversation(sitting, "", *asked), Verdict, VERDICT, log.id)
    except Ended as ended:  # the draft is ready, and goes out without a review
        return {"verdict": "accept", "ended": ended.reason}
    sitting.finish(log, found.model_dump(mode="json") if found else {})
    if found is None:
        sitting.note("review-unreadable")
    if found is None or found.verdict == "accept":
        return {"verdict": "accept"}
    if state.get("revisions", 0) >= REVISIONS:
        sitting.note("review-refused", problems=" ".join(found.problems))
        return {"verdict": "accept"}
    problems = found.problems or (found.verdict,)
    return {"verdict": found.verdict, "problems": problems, "revisions": state.get("revisions", 0) + 1}


@node
def finish(state: State, sitting: Sitting) -> State:
    """The answer as it goes out: citations checked, and said why where a budget or a circle ended the run."""
    run, ended = sitting.run, state.get("ended") or "answered"
    results = state.get("results", ())
    text = state.get("draft", "") or (state["desk"].report if state["desk"].state == "done" else "")
    cited = checked(text, usable(results))
    if cited.dropped:
        sitting.note("dropped-citation", count=len(cited.dropped), refs=", ".join(cited.dropped))
    final = cited.text
    ended = "empty" if ended == "answered" and not final else ended
    if ended != "answered":
        limits, spent, words = run.limits, sitting.spent, run.texts
        because = ended_because(ended, limits, spent, words)
        steps = state.get("steps", ())
        final = f"{final}\n\n({because})" if final else early(ended, results, steps, limits, spent, words)
    shown = sitting.streamed.strip()
    goes_on = bool(shown) and final.startswith(shown)
    sitting.say(final[len(shown) :] if goes_on else final, goes_on)
    return {"draft": final, "ended": ended, "dropped": cited.dropped}


def findings(state: State, sitting: Sitting) -> str:
    """What the steps came to; where there are none, the results themselves."""
    return done(state.get("steps", ()), sitting) or _seen(state, sitting)


def listed(problems: Sequence[str]) -> str:
    """The critic's problems, as lines."""
    return "\n".join(f"- {problem}" for problem in problems)


def _seen(state: State, sitting: Sitting) -> str:
    run = sitting.run
    return "\n".join(
        trust.fenced(
            ref, one.call.name, trust.cut(one.text, SEEN, run.texts), run.fence, bool(one.orders), run.texts
        )
        for ref, one in usable(state.get("results", ())).items()
    )
