"""What a person wants to be told by a server, where, and when not: rules, quiet hours, channels."""

from dataclasses import dataclass
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from backend_client.alerts.alert import AlertWishes, Channel, ChannelKind, Delivery, HasAlertWishes
from backend_client.errors import BackendError, Invalid
from backend_client.models.secret import Secret
from backend_client.text.alerts import delivery_words
from backend_client.text.sanitize import clean
from backend_client.text.wishes import (
    CHANNEL_NAME,
    KINDS,
    NO_CHANNEL,
    QUIET_FIELDS,
    RULES_HEADING,
    SIGNING,
    by_field,
    field_texts,
    is_secret,
    meaning,
    removal_question,
    rule_fields,
    wishes_of,
    wrong_rules,
)
from tui.actions import Place
from tui.alerts.alerts_text import channel_row
from tui.alerts.wish_field import WishField
from tui.bindings import bindings
from tui.messages import OpenText
from tui.session import Guarded
from tui.ui.confirm import ConfirmScreen
from tui.ui.footer import Footer
from tui.ui.pick_screen import Pick, PickScreen
from tui.ui.prompt import AskSecret, AskText

_NO_CHANNEL = f" {NO_CHANNEL}: f3 adds one"


class WishesScreen(Screen[None], Guarded):
    """A form of one page; the channels below it change at once."""

    CSS_PATH = "wishes_screen.tcss"
    AUTO_FOCUS = ""
    where = Place.WISHES
    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings(Place.WISHES, "screen"),
        Binding("tab", "app.focus_next", show=False),
        Binding("shift+tab", "app.focus_previous", show=False),
    ]

    @dataclass(eq=False)
    class WishesLoaded(Message):
        """The wishes as the server has them, or why they are not known or not kept."""

        wishes: AlertWishes | BackendError
        is_saved: bool = False

    @dataclass(eq=False)
    class ChannelsChanged(Message):
        """The channels as they are now."""

        wishes: AlertWishes
        words: str = ""

    @dataclass(eq=False)
    class ChannelTried(Message):
        """What came of a message to one channel, or why it was not sent."""

        name: str
        result: Delivery | BackendError

    def __init__(self, backend: HasAlertWishes, context: str) -> None:
        super().__init__()
        self._backend, self._context_name = backend, context
        self._wishes: AlertWishes | None = None
        self._tried: dict[str, Delivery] = {}
        self.fields = {each.key: WishField(*each) for each in (*rule_fields(), *QUIET_FIELDS)}

    def compose(self) -> ComposeResult:
        title = f" {clean(self._context_name, 40)}  what alerts tell, and where"
        yield Static(Content.styled(title, "bold"), id="title")
        with VerticalScroll(disabled=True, can_focus=False):
            yield Static(RULES_HEADING, classes="heading")
            yield from (self.fields[each.key] for each in rule_fields())
            yield Static("Quiet hours", classes="heading")
            yield from (self.fields[each.key] for each in QUIET_FIELDS)
            yield Static("Channels", classes="heading")
            yield OptionList()
        yield Static(id="about")
        yield Static(Content("reading ..."), id="status")
        yield Footer(self.session)

    def on_mount(self) -> None:
        self.call_after_refresh(self._read)

    # What is read

    @work(exclusive=True, group="wishes", exit_on_error=False)
    async def _read(self) -> None:
        try:
            wishes: AlertWishes | BackendError = await self._backend.alert_wishes()
        except BackendError as error:
            wishes = error
        self.post_message(self.WishesLoaded(wishes))

    def on_wishes_screen_wishes_loaded(self, message: WishesLoaded) -> None:
        """Show the wishes, or what is wrong with those that were to be kept."""
        if isinstance(message.wishes, BackendError):
            self._show_error(message.wishes)
            return
        first, self._wishes = self._wishes is None, message.wishes
        for key, text in field_texts(message.wishes).items():
            self.fields[key].set_text(text)
            self.fields[key].set_error("")
        self._show_channels()
        self.query_one(VerticalScroll).disabled = False
        self._show_status("Kept." if message.is_saved else "")
        if first:
            next(iter(self.fields.values())).line.focus()

    def _show_error(self, error: BackendError) -> None:
        fields, rest = by_field(error.fields)
        self._show_status(rest or ("" if fields else str(error)), wrong=True)
        self._blame(fields)
        self.session.login_prompt.ask(error)

    def _blame(self, wrong: dict[str, str]) -> None:
        """Show what is wrong at each field, and go to the first."""
        for key, field in self.fields.items():
            field.set_error(wrong.get(key, ""))
        first = next((field for key, field in self.fields.items() if key in wrong), None)
        if first:
            first.line.focus()
            self.call_after_refresh(first.scroll_visible, animate=False)

    def on_screen_resume(self) -> None:
        """Ask again after a login."""
        if self._wishes is None:
            self._read()

    # What is shown

    def _show_status(self, words: str, *, wrong: bool = False) -> None:
        status = self.query_one("#status", Static)
        status.set_class(wrong, "wrong")
        status.update(Content(clean(words, 600)))

    def _show_channels(self) -> None:
        rows = self.query_one(OptionList)
        at, channels = rows.highlighted, self._channels
        rows.clear_options()
        rows.add_options(Option(Content(channel_row(each, self._tried.get(each.name)))) for each in channels)
        if not channels:
            rows.add_option(Option(Content.styled(_NO_CHANNEL, "$text-muted"), disabled=True))
        else:
            rows.highlighted = min(at or 0, len(channels) - 1)

    @property
    def _channels(self) -> tuple[Channel, ...]:
        return self._wishes.channels if self._wishes else ()

    @property
    def channel(self) -> Channel | None:
        """The channel under the cursor."""
        at = self.query_one(OptionList).highlighted
        return self._channels[at] if at is not None and at < len(self._channels) else None

    def on_descendant_focus(self) -> None:
        """Say what the field with the focus is for."""
        self._show_about()

    def on_input_changed(self, _event: Input.Changed) -> None:
        """Say it with what is typed."""
        self._show_about()

    def _show_about(self) -> None:
        field = next((f for f in self.fields.values() if f.line.has_focus), None)
        words = meaning(field.line.value.strip(), field.about) if field else ""
        self.query_one("#about", Static).update(Content(clean(words, 600)))

    # The wishes

    def action_wishes_save(self) -> None:
        """Keep what stands in the fields, where nothing is wrong with it."""
        if self._wishes is None:
            return
        texts, wrong = self._texts()
        wrong |= wrong_rules(texts)
        self._blame(wrong)
        if not wrong:
            self._show_status("keeping ...")
            self._save(wishes_of(texts, self._wishes))

    def _texts(self) -> tuple[dict[str, str], dict[str, str]]:
        texts, wrong = {}, {}
        for key, field in self.fields.items():
            try:
                texts[key] = field.text
            except ValueError as error:
                texts[key], wrong[key] = "", str(error)
        return texts, wrong

    @work(exclusive=True, group="wishes", exit_on_error=False)
    async def _save(self, wishes: AlertWishes) -> None:
        try:
            kept: AlertWishes | BackendError = await self._backend.set_alert_wishes(wishes)
        except BackendError as error:
            kept = error
        self.post_message(self.WishesLoaded(kept, is_saved=True))

    # The channels

    @work(exclusive=True, group="ask", exit_on_error=False)
    async def action_channel_add(self) -> None:
        """Ask for kind, name and address; what is wrong with one is said where it is asked for."""
        if self._wishes is None:
            return
        picks = [Pick(kind.value, words) for kind, words in KINDS.items()]
        chosen = await self.app.push_screen_wait(PickScreen("How to send", picks))
        if not chosen:
            return
        kind, name, wrong = ChannelKind(chosen), "", {"name": CHANNEL_NAME}
        while wrong:
            if "name" in wrong:
                asked = AskText("The channel's name", wrong["name"], name)
                answer: str | None = await self.app.push_screen_wait(asked)
                if answer is None:
                    return
                name = answer
            address = await self._ask_address(kind, wrong.get("address", KINDS[kind]))
            if address is None:
                return
            wrong = await self._add(name, kind, address)

    async def _ask_address(self, kind: ChannelKind, detail: str) -> Secret | None:
        """Ask for an address: a URL is a secret, who has it can write there."""
        if not is_secret(kind):
            text: str | None = await self.app.push_screen_wait(AskText("Where to send", detail))
            return Secret(text) if text else None
        return await self.app.push_screen_wait(AskSecret("Where to send (not shown)", detail))

    async def _add(self, name: str, kind: ChannelKind, address: Secret) -> dict[str, str]:
        """Add a channel; return what is wrong with its name or address."""
        try:
            channel = await self._backend.add_channel(name, kind, address)
            wishes = await self._backend.alert_wishes()
        except Invalid as error:
            return {field: words for field, words in error.fields.items() if field in ("name", "address")}
        except BackendError as error:
            self._show_failure("The channel was not added", error)
            return {}
        self.post_message(self.ChannelsChanged(wishes, f"{name} is added; f4 sends one message to it."))
        if channel.signing_key:
            key = f"{channel.signing_key}\n\n{SIGNING}"
            self.session.request(OpenText(f"The signing key of {name}", key))
        return {}

    def on_wishes_screen_channels_changed(self, message: ChannelsChanged) -> None:
        """Show the channels; what is typed in the fields stays."""
        if self._wishes is not None:
            self._wishes = message.wishes
            self._show_channels()
            self.query_one(OptionList).scroll_visible(animate=False)
            self._show_status(message.words)

    def action_channel_try(self) -> None:
        """Send one message to the channel under the cursor."""
        if channel := self.channel:
            self._show_status(f"sending to {channel.name} ...")
            self._try(channel.name)
        elif self._wishes is not None:
            self._show_status("There is no channel to send to: f3 adds one.")

    @work(group="try", exit_on_error=False)
    async def _try(self, name: str) -> None:
        try:
            result: Delivery | BackendError = await self._backend.test_channel(name)
        except BackendError as error:
            result = error
        self.post_message(self.ChannelTried(name, result))

    def on_wishes_screen_channel_tried(self, message: ChannelTried) -> None:
        """Show what came of it, in the channel's row."""
        if isinstance(message.result, BackendError):
            self._show_status(f"{message.name}: {message.result}", wrong=True)
            self.session.login_prompt.ask(message.result)
            return
        self._tried[message.name] = message.result
        self._show_channels()
        self.query_one(OptionList).scroll_visible(animate=False)
        self._show_status(delivery_words(message.result))

    @work(exclusive=True, group="ask", exit_on_error=False)
    async def action_channel_remove(self) -> None:
        """Remove the channel under the cursor, after a question."""
        channel = self.channel
        if not channel:
            return
        screen = ConfirmScreen(*removal_question(channel.name))
        if await self.app.push_screen_wait(screen) is not True:
            return
        try:
            await self._backend.remove_channel(channel.name)
            wishes = await self._backend.alert_wishes()
        except BackendError as error:
            self._show_failure(f"{channel.name} was not removed", error)
        else:
            self.post_message(self.ChannelsChanged(wishes, f"{channel.name} is removed."))

    def _show_failure(self, failed: str, error: BackendError) -> None:
        if not self.session.login_prompt.ask(error):
            self.session.request(OpenText(failed, str(error)))

    @work(exclusive=True, group="ask", exit_on_error=False)
    async def action_wishes_back(self) -> None:
        """Go back; where something was typed that is not kept, ask first."""
        typed = {key: field.line.value.strip() for key, field in self.fields.items()}
        if self._wishes is not None and typed != field_texts(self._wishes):
            screen = ConfirmScreen("Leave without keeping what you changed?", "f2 keeps it.", "Leave")
            if await self.app.push_screen_wait(screen) is not True:
                return
        self.dismiss(None)
