"""Stylesheets do not change each other's elements."""

from playwright.sync_api import Page, expect

SHEETS = """async () => {
    const html = await (await fetch("/console/index.html")).text();
    return [...html.matchAll(/css\\/[a-z]+\\.css/g)].map(([name]) => name);
}"""
DRAW = """async (sheets) => {
    document.body.replaceChildren();
    for (const name of sheets) {
        const link = document.createElement("link");
        Object.assign(link, { rel: "stylesheet", href: `/console/${name}` });
        await new Promise((done) => { link.onload = done; document.head.append(link); });
    }
    const { dataView } = await import("/console/js/ui/data-view.js");
    const { ScalePlot } = await import("/console/js/system/scale-plot.js");
    document.body.append(dataView({ colours: ["#1f4a3a", "#c0392b"] }), new ScalePlot(() => {}).element);
    const style = (selector) => [...document.querySelectorAll(selector)].map((element) => {
        const { backgroundColor, width, height } = getComputedStyle(element);
        return [backgroundColor, width, height];
    });
    return { brand: style(".swatch"), plot: style(".plot-swatch") };
}"""


def test_brand_colours_have_their_own_colour_beside_the_autoscaler_sheet(modules: Page) -> None:
    sheets = modules.evaluate(SHEETS)
    assert len(sheets) >= 9
    drawn = modules.evaluate(DRAW, sheets)
    assert drawn["brand"] == [
        ["rgb(31, 74, 58)", "14px", "14px"],
        ["rgb(192, 57, 43)", "14px", "14px"],
    ]
    assert drawn["plot"]
    expect(modules.locator(".swatch").first).to_be_visible()
