"""The workflow of the letters pipeline."""

from datetime import timedelta

from msgspec.structs import replace
from temporalio import workflow

from signalbox_core.pipeline.options import CallOptions
from signalbox_core.pipeline.run import Run
from support.letters.activities import LetterActivities
from support.letters.contract import SEND, SPEC, ChosenLetters, Letter, LettersInput, LettersResult

WORK = CallOptions(
    timeout=timedelta(seconds=10), maximum_attempts=3, first_retry_after=timedelta(milliseconds=10)
)


@workflow.defn(name="letters")
class Letters:
    @workflow.init
    def __init__(self, request: LettersInput) -> None:
        self.signalbox = Run(SPEC)
        self.tamper = request.tamper
        self.may_send = request.tamper != "file"

    @workflow.signal
    def go_on(self) -> None:
        self.may_send = True

    @workflow.run
    async def run(self, request: LettersInput) -> LettersResult:
        async with self.signalbox as run:
            async with run.step("write") as step:
                letters = await step.call(LetterActivities.write, ("lan", "minh"), WORK)
            answer = await run.ask(SEND, options=letters)
            receipt = run.receipt(SEND)
            await workflow.wait_condition(lambda: self.may_send)
            async with run.step("send") as step:
                send = (
                    LetterActivities.send_other_file if self.tamper == "other_file" else LetterActivities.send
                )
                sent = self.letters_to_send(answer, letters)
                for letter in sent:
                    await step.call(send, letter, WORK, approved=receipt)
                    changed = replace(letter, text="Dear you") if self.tamper == "event" else letter
                    run.emit("letter.sent", changed, approved=receipt)
            return LettersResult(sent=tuple(letter.name for letter in sent))

    def letters_to_send(self, answer: ChosenLetters, letters: tuple[Letter, ...]) -> list[Letter]:
        if self.tamper == "unchosen":
            return [letter for letter in letters if letter.name not in answer.names]
        chosen = [letter for letter in letters if letter.name in answer.names]
        if self.tamper == "argument":
            return [replace(letter, text=f"{letter.text}!") for letter in chosen]
        return chosen
