"""Selects the provider and checks, before any token is used, that one call fits the budget. Pure."""

from signalbox_core.chat_model.settings import ChatModelSettings
from signalbox_core.errors import InvalidInput
from signalbox_pipelines.ai_task.budget import cost_of
from signalbox_pipelines.ai_task.contract import (
    LANGUAGE_MODEL,
    LOCAL_PROVIDER,
    NOT_A_LANGUAGE_MODEL,
    AiTaskInput,
    check_input,
)
from signalbox_pipelines.ai_task.messages import CallPlan
from signalbox_pipelines.ai_task.prompts import answer_schema, chat_messages
from signalbox_pipelines.ai_task.providers import LOCAL_MODEL, select_model
from signalbox_pipelines.ai_task.tokens import estimate_prompt_tokens


def plan_call(task: AiTaskInput, settings: ChatModelSettings | None) -> CallPlan:
    """Plan the call.

    Args:
        settings: the worker's model; None when none is configured.

    Raises:
        InvalidInput: the input is invalid, no provider supports it, or one call exceeds its budget; `field`
            names it.
    """
    check_input(task)
    model = select_model(task, settings)
    if model is None:
        return CallPlan(provider=LOCAL_PROVIDER, model=LOCAL_MODEL, label=NOT_A_LANGUAGE_MODEL)
    plan = CallPlan(
        provider="model",
        model=model.name,
        label=LANGUAGE_MODEL,
        input_tokens=estimate_prompt_tokens(chat_messages(task)),
        output_tokens=task.max_output_tokens,
        prices=model.prices,
        can_repair=answer_schema(task) is not None,
    )
    _check_budget(task, plan)
    return plan


def _check_budget(task: AiTaskInput, plan: CallPlan) -> None:
    needed = plan.input_tokens + plan.output_tokens
    if needed > task.max_tokens:
        raise InvalidInput(
            f"one call may need {needed} tokens ({plan.input_tokens} input, {plan.output_tokens} output), "
            f"but max_tokens is {task.max_tokens}; raise it, shorten the text or lower max_output_tokens",
            field="max_tokens",
        )
    if task.max_cost is None:
        return
    if plan.prices is None:
        raise InvalidInput(
            "max_cost needs token prices; set SIGNALBOX_WORKER_MODEL_INPUT_PRICE and "
            "SIGNALBOX_WORKER_MODEL_OUTPUT_PRICE on the worker, or omit max_cost",
            field="max_cost",
            code="no_prices",
        )
    cost = cost_of(plan.prices, plan.input_tokens, plan.output_tokens)
    if cost > task.max_cost:
        raise InvalidInput(
            f"one call may cost {cost} {plan.prices.currency}, but max_cost is {task.max_cost}; "
            "raise it, shorten the text or lower max_output_tokens",
            field="max_cost",
        )
