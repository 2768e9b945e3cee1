"""Our colours, as they reach the terminal."""

from textual.app import App
from textual.content import Content
from textual.widgets import Static

from tui.ui.themes import DARK


class Words(App[None]):
    """A line of three texts, each quieter than the one before."""

    def on_mount(self) -> None:
        self.register_theme(DARK)
        self.theme = DARK.name

    def compose(self):
        yield Static(Content.assemble("plain", ("muted", "$text-muted"), ("disabled", "$text-disabled")))


async def test_what_is_muted_is_quieter_than_what_is_not():
    app = Words()
    async with app.run_test() as pilot:
        await pilot.pause()
        line = app.screen._compositor.render_strips()[0]
        colours = {
            segment.text.strip(): segment.style.color.triplet for segment in line if segment.text.strip()
        }
        lights = [sum(colours[word]) for word in ("plain", "muted", "disabled")]
    assert lights == sorted(set(lights), reverse=True)
