"""The two nodes that all patterns share: think, which asks the model what to do, and tool, which does one thing.

Tools are sent out side by side, each a task of its own: LangGraph keeps what each returned as soon as it is there, so
that a run that is killed among them goes on with the rest, and runs none twice.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

from langgraph.runtime import Runtime
from langgraph.types import Send

from llmflow_agent import injection, loops, tools
from llmflow_agent.errors import Ended
from llmflow_agent.loops import Round
from llmflow_agent.model import Call, Message
from llmflow_agent.replies import Turn, Unreadable
from llmflow_agent.run import Run
from llmflow_agent.state import Desk, Errand, State
from llmflow_agent.tools import FAILURES, Allowed, BadArguments, Result
from llmflow_agent.worker import NOTHING, Node, Worker, conversation, node, outcomes

MOST_CALLS = 8  # in one round
SLIPS = 2  # unreadable or empty answers in a row that are answered with a reflection


@dataclass(frozen=True)
class Manner:
    """How a pattern's desk works: calls of the model kept back for later, and whether its text is the answer."""

    reserve: int = 0
    speaks: bool = True


def thinking(manner: Manner) -> Node:
    """The node `think` in a pattern's manner."""

    def think(state: State, worker: Worker) -> State:
        desk = with_results(state, worker)
        circle = loops.verdict(desk.rounds)
        if circle.act == "end":
            return _failed(desk, worker, manner, "loop")
        if manner.reserve and worker.steps_left <= manner.reserve:
            return {"desk": desk, "calls": (), "ended": "budget-steps"}
        last = worker.steps_left <= manner.reserve + 1
        number = len(desk.rounds) + desk.slips + 1
        desk = replace(desk, round=worker.begin("round", _above(desk), number=number))
        offered = () if last else worker.offered(_names(desk, worker.run))
        try:
            asked = _messages(state, desk, worker, circle.why, last)
            turn = worker.ask(asked, offered, _id(desk), manner.speaks)
        except Ended as ended:
            return {"desk": desk, "calls": (), "ended": ended.reason}
        except Unreadable as error:
            return _slip(desk, worker, manner, error.said, worker.run.texts.bad_block.format(why=error))
        if turn.calls and not last:
            return _called(state, desk, worker, turn)
        if not turn.text:
            return _slip(desk, worker, manner, NOTHING, worker.run.texts.said_nothing)
        worker.finish(desk.round)
        desk = replace(desk, state="done", report=turn.text, round=None)
        found: State = {"desk": desk, "calls": ()}
        if last and worker.run.tools:
            found["ended"] = "budget-steps"
        return found

    return node(think)


def tool(state: Errand, *, runtime: Runtime[Run]) -> State:
    """Run one call, which `think` has looked at before."""
    run, call = runtime.context, state["call"]
    worker = Worker(run, {}, runtime.stream_writer)
    chosen = run.tools[call.name]
    given = tools.arguments(chosen.spec, call.arguments)
    about = {"arguments": call.arguments, "id": call.ref}
    log = worker.line(tools.labelled(call, given), state["parent"], about)
    seconds = min(run.limits.tool_seconds, max(0.1, worker.left))
    allowed = Allowed(seconds, run.limits.result_chars, run.stop)
    result = tools.run(chosen, call, given, allowed, run.texts)
    worker.finish(log, {"output": result.text}, "" if result.ok else result.text[:500])
    return {"results": (result,)}


def open_calls(state: State) -> list[Hashable] | None:
    """The calls of the round that are still to be run, or None where `think` goes on at once or is done."""
    done = {one.call.ref for one in state.get("results", ())}
    open_ = [call for call in state.get("calls", ()) if call.ref not in done]
    parent = _id(state["desk"])
    return [Send("tool", Errand(call=call, parent=parent)) for call in open_] or None


def with_results(state: State, worker: Worker) -> Desk:
    """The desk with the last round's results on it, as the model will read them."""
    desk, calls = state.get("desk", Desk()), state.get("calls", ())
    if not calls:
        return desk
    here = {call.ref for call in calls}
    results = {one.call.ref: one for one in state["results"]}
    known = {one.text for one in state["results"] if one.ok and one.call.ref not in here}
    now = [results[call.ref] for call in calls]
    said = tuple(Message("tool", _told(one, worker), call_id=one.call.id, name=one.call.name) for one in now)
    fresh = any(one.ok and one.text not in known for one in now)
    rounds = (*desk.rounds, Round(tuple(sorted(map(_print, calls))), fresh))
    worker.finish(desk.round)
    return replace(desk, thread=(*desk.thread, *said), rounds=rounds, slips=0, round=None)


def _told(result: Result, worker: Worker) -> str:
    """A result as the model reads it, with what to do where it failed."""
    texts, call = worker.run.texts, result.call
    if not result.ran:
        return result.text
    if result.orders:
        worker.note("injection", ref=call.ref, tool=call.name)
    fenced = injection.fenced(call.ref, call.name, result.text, worker.run.fence, bool(result.orders), texts)
    if result.ok:
        return fenced
    count = worker.failures(call.name)
    if count >= FAILURES:
        worker.note("tool-removed", tool=call.name, most=FAILURES)
        return f"{fenced}\n{texts.tool_gone.format(name=call.name, most=FAILURES)}"
    return texts.tool_failed.format(why=fenced, count=count, most=FAILURES)


def _called(state: State, desk: Desk, worker: Worker, turn: Turn) -> State:
    """The calls numbered and looked at: those that may not run have their result at once."""
    first = len(state.get("results", ())) + 1
    calls = tuple(
        replace(call, ref=f"r{number}", id=call.id or f"call_r{number}")
        for number, call in enumerate(turn.calls, first)
    )
    refused = []
    too_many = worker.run.texts.too_many.format(most=MOST_CALLS)
    running: list[Call] = []
    for number, call in enumerate(calls):
        if why := too_many if number >= MOST_CALLS else _refusal(desk, call, running, worker):
            refused.append(Result(call, why, ok=False, ran=False))
            worker.finish(worker.line(call.name, _id(desk), {"arguments": call.arguments}), error=why)
        else:
            running.append(call)
    thread = (*desk.thread, Message("assistant", turn.text, calls))
    return {"desk": replace(desk, thread=thread, slips=0), "calls": calls, "results": tuple(refused)}


def _refusal(desk: Desk, call: Call, beside: Sequence[Call], worker: Worker) -> str:
    """Why a call is not run, or nothing; `beside` are those of its round that are."""
    texts, results = worker.run.texts, worker.state.get("results", ())
    specs = {spec.name: spec for spec in worker.offered(_names(desk, worker.run))}
    spec = specs.get(call.name)
    if spec is None:
        return texts.unknown_tool.format(name=call.name, tools=", ".join(specs) or texts.no_tools)
    try:
        given = tools.arguments(spec, call.arguments)
    except BadArguments as error:
        return texts.bad_arguments.format(why=error)
    others = (*(one.call for one in results if one.ok), *beside)
    same = [one.ref for one in others if _print(one) == _print(call)]
    if len(same) >= loops.RUNS:
        return texts.repeated.format(refs=", ".join(same))
    found = [(one.call.ref, sentence) for one in results for sentence in one.orders]
    used = {one.call.name for one in results if one.ran}
    if refs := injection.obeyed(call.name, given, found, "\n".join(_trusted(worker.run)), used):
        worker.note("refused-call", tool=call.name)
        return texts.obeys_a_tool.format(refs=", ".join(refs))
    return ""


def _messages(state: State, desk: Desk, worker: Worker, circle: str, last: bool) -> list[Message]:
    texts = worker.run.texts
    role = next((one for one in worker.run.roles if one.name == desk.role), None)
    so_far = outcomes(state.get("steps", ()), worker)
    messages = conversation(worker, role.instruction if role else "", so_far, desk.task)
    messages += desk.thread
    hints = [texts.circles[circle]] if circle else []
    if last:
        hints.append(texts.last_step.format(language=texts.language))
    # added to the last message: many chat templates refuse two of the user's in a row
    messages[-1] = replace(messages[-1], content="\n\n".join((messages[-1].content, *hints)))
    return messages


def _slip(desk: Desk, worker: Worker, manner: Manner, said: str, reflection: str) -> State:
    """An answer that can't be used: reflected upon, or the end of the desk."""
    worker.finish(desk.round, error=reflection)
    desk = replace(desk, round=None)
    if desk.slips >= SLIPS:
        return _failed(desk, worker, manner, "empty")
    thread = (*desk.thread, Message("assistant", said), Message("user", reflection))
    return {"desk": replace(desk, thread=thread, slips=desk.slips + 1), "calls": ()}


def _failed(desk: Desk, worker: Worker, manner: Manner, reason: str) -> State:
    """The desk can't go on: a step or a role has failed, the agent itself is at its end."""
    if manner.speaks:
        return {"desk": desk, "calls": (), "ended": reason}
    return {"desk": replace(desk, state="failed", report=worker.run.texts.ends[reason]), "calls": ()}


def _names(desk: Desk, run: Run) -> tuple[str, ...] | None:
    return next((role.tools for role in run.roles if role.name == desk.role), None)


def _trusted(run: Run) -> list[str]:
    """What the user and the app's builder wrote; not the plan, which a model made that may have read results."""
    roles = [f"{role.instruction} {role.description}" for role in run.roles]
    return [
        run.question,
        run.instruction,
        *(one.content for one in run.history if one.role == "user"),
        *roles,
    ]


def _print(call: Call) -> str:
    return loops.fingerprint(call.name, call.arguments)


def _above(desk: Desk) -> str:
    return desk.scope.id if desk.scope else ""


def _id(desk: Desk) -> str:
    return desk.round.id if desk.round else _above(desk)
