"""The text of a running step as the console shows it: whole, growing, gone when the step starts again or has
ended."""

from playwright.sync_api import Page, expect

SHOW = """async (steps) => {
    const { LiveText } = await import("/console/js/run/live-text.js");
    if (!window.list) document.body.append((window.list = new LiveText()).element);
    window.list.update({ status: "running", approvals: [], steps: steps.map((step) => ({
        name: "call_model", title: "Ask", status: "running", percent: null, message: null, items: null,
        attempt: 1, started_at: null, ended_at: null, text: null, text_offset: 0, ...step,
    })) });
}"""


def test_live_text_grows_and_is_removed(modules: Page) -> None:
    output = modules.locator(".live-text")

    modules.evaluate(SHOW, [{"text": "Xin"}])
    expect(output).to_have_text("Xin")
    modules.evaluate(SHOW, [{"text": "Xin chào <b>bạn</b>"}])
    expect(output).to_have_text("Xin chào <b>bạn</b>")
    modules.evaluate(SHOW, [{"text": "the end", "text_offset": 900}])
    expect(output).to_have_text("… the end")
    modules.evaluate(SHOW, [{}])
    expect(output).to_be_hidden()


def test_a_long_text_shows_its_end_unless_someone_reads_further_up(modules: Page) -> None:
    output = modules.locator(".live-text")
    lines = "\n".join(f"line {number}" for number in range(200))
    modules.evaluate(SHOW, [{"text": lines}])
    at_end = "output => Math.abs(output.scrollTop + output.clientHeight - output.scrollHeight) < 2"
    output.evaluate(
        "output => { output.style.maxBlockSize = '100px'; output.style.overflow = 'auto';"
        " output.scrollTop = output.scrollHeight; }"
    )

    modules.evaluate(SHOW, [{"text": lines + "\nmore"}])
    assert output.evaluate(at_end)

    output.evaluate("output => { output.scrollTop = 0; }")
    modules.evaluate(SHOW, [{"text": lines + "\nmore\nand more"}])
    assert output.evaluate("output => output.scrollTop") == 0


def test_a_text_that_is_shown_before_its_page_follows_too(modules: Page) -> None:
    """The first snapshot is drawn before the page is in the document, as when a page opens mid-run."""
    modules.evaluate(
        """async () => {
            document.body.replaceChildren();
            delete window.list;
            const { LiveText } = await import("/console/js/run/live-text.js");
            window.list = new LiveText();
        }"""
    )
    lines = "\n".join(f"line {number}" for number in range(200))
    modules.evaluate(SHOW, [{"text": lines}])
    modules.evaluate(
        """() => {
            document.body.append(window.list.element);
            const style = document.querySelector(".live-text").style;
            Object.assign(style, { maxBlockSize: "100px", overflow: "auto" });
        }"""
    )
    at_end = """() => {
        const { scrollTop, clientHeight, scrollHeight } = document.querySelector(".live-text");
        return scrollHeight > 200 && scrollTop + clientHeight > scrollHeight - 2;
    }"""
    modules.wait_for_function(at_end)
    modules.evaluate(SHOW, [{"text": lines + "\nmore"}])
    modules.wait_for_function(at_end)
