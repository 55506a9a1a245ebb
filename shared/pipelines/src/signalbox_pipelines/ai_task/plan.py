"""Who answers and what a call can cost: everything that can be refused before a token is spent. Pure."""

from signalbox_core.chat_model.settings import ModelSettings
from signalbox_core.errors import InvalidInput
from signalbox_pipelines.ai_task.budget import cost_of
from signalbox_pipelines.ai_task.contract import A_MODEL, LOCAL, NOT_A_MODEL, AiTaskInput, check_input
from signalbox_pipelines.ai_task.messages import Plan
from signalbox_pipelines.ai_task.prompts import answer_schema, messages_for
from signalbox_pipelines.ai_task.providers import LOCAL_MODEL, choose
from signalbox_pipelines.ai_task.tokens import tokens_of


def plan_for(task: AiTaskInput, settings: ModelSettings | None) -> Plan:
    """The plan.

    Raises:
        InvalidInput: the input breaks its contract, no provider can do it, or even one call is beyond its budget; `field` names it.
    """
    check_input(task)
    chosen = choose(task, settings)
    if chosen is None:
        return Plan(provider=LOCAL, model=LOCAL_MODEL, label=NOT_A_MODEL)
    plan = Plan(
        provider="model",
        model=chosen.name,
        label=A_MODEL,
        input_tokens=tokens_of(messages_for(task)),
        output_tokens=task.max_output_tokens,
        prices=chosen.prices,
        can_repair=answer_schema(task) is not None,
    )
    _check_budget(task, plan)
    return plan


def _check_budget(task: AiTaskInput, plan: Plan) -> None:
    needed = plan.input_tokens + plan.output_tokens
    if needed > task.max_tokens:
        detail = f"one call may need {needed} tokens ({plan.input_tokens} of text, {plan.output_tokens} of answer), max_tokens is"
        raise InvalidInput(
            f"{detail} {task.max_tokens}: raise it, shorten the text or lower max_output_tokens",
            field="max_tokens",
        )
    if task.max_cost is None:
        return
    if plan.prices is None:
        detail = "a cost budget needs prices: set SIGNALBOX_WORKER_MODEL_INPUT_PRICE and _OUTPUT_PRICE on the worker, or leave out max_cost"
        raise InvalidInput(detail, field="max_cost", code="no_prices")
    cost = cost_of(plan.prices, plan.input_tokens, plan.output_tokens)
    if cost > task.max_cost:
        detail = f"one call may cost {cost} {plan.prices.currency}, max_cost is {task.max_cost}"
        raise InvalidInput(
            f"{detail}: raise it, shorten the text or lower max_output_tokens", field="max_cost"
        )
