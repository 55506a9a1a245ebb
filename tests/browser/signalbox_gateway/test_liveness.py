"""Whether "Live" is measured: a connection that stays open and delivers nothing is noticed and replaced."""

import os
import signal

from playwright.sync_api import Page, expect

from support.drivers.browser import Site, WatchedPage
from support.drivers.console import RUN_MS, asked, start_run


def test_a_frozen_gateway_is_noticed_after_two_missed_pings(
    signed_in: Page, site: Site, watched: WatchedPage
) -> None:
    watched.expected = ("net::ERR_", "status of 50")
    page = signed_in
    start_run(page, site.product_page, variants=1)
    asked(page)
    page.clock.install()
    page.reload()
    link = page.locator(".link-state")
    expect(link).to_have_text("Live")

    frozen = site.gateway_pid()
    os.kill(frozen, signal.SIGSTOP)
    try:
        page.clock.fast_forward(20_000)
        expect(link).to_have_text("Live")
        page.clock.fast_forward(11_000)
        expect(link).to_have_text("No data for 30 s, reconnecting")
    finally:
        os.kill(frozen, signal.SIGCONT)
    expect(link).to_have_text("Live", timeout=RUN_MS)


def test_pings_keep_an_idle_page_live(modules: Page) -> None:
    """Every ping restarts the 30 s; without pings the source opens a new connection."""
    states = modules.evaluate(
        """async () => {
            const { LiveSource } = await import("/console/js/data/live-source.js");
            const waiting = [];
            const real = { setTimeout: window.setTimeout, clearTimeout: window.clearTimeout };
            let now = 0;
            window.setTimeout = (action, delay) => waiting.push({ action, at: now + delay });
            window.clearTimeout = (id) => { if (id) waiting[id - 1] = null; };
            const pass = (ms) => {
                now += ms;
                for (const [index, timer] of waiting.entries()) {
                    if (timer && timer.at <= now) { waiting[index] = null; timer.action(); }
                }
            };
            const sources = [];
            const openSource = () => {
                const source = new EventTarget();
                Object.assign(source, { close: () => {}, readyState: 1 });
                sources.push(source);
                return source;
            };
            const states = [];
            const listeners = { message: () => {}, state: (state) => states.push(state) };
            const live = new LiveSource(() => "/stream", listeners, { openSource });
            try {
                sources[0].onopen();
                for (let ping = 0; ping < 10; ping += 1) {
                    pass(12_000);
                    sources[0].dispatchEvent(new Event("ping"));
                }
                pass(29_000);
                states.push(sources.length);
                pass(2_000);
                states.push(sources.length);
                sources[1].onopen();
            } finally {
                live.close();
                Object.assign(window, real);
            }
            return states;
        }"""
    )
    assert states == ["live", 1, "silent", 2, "live"]
