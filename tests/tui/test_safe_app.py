"""What every app of ours lets out, whatever comes."""

import time

from textual.widgets._toast import Toast

from tests.support.wait import async_until
from tui.safe_app import LateNotification, SafeApp


async def test_a_notification_that_is_shown_too_late_goes_and_holds_nothing_up():
    late = LateNotification("late", raised_at=time.time() - 60)
    assert late.has_expired
    assert late.time_left > 0
    app = SafeApp()
    async with app.run_test() as pilot:
        app._notifications.add(LateNotification("another", raised_at=time.time()))
        app._notifications._notifications[late.identity] = late
        await app.mount(Toast(late))
        await async_until(lambda: not app.query(Toast), pause=pilot.pause)


async def test_notifications_are_plain_and_clean():
    app = SafeApp()
    async with app.run_test(notifications=True) as pilot:
        app.notify("[b]red\x1b[31m[/b]", title="a\x07b")
        await async_until(lambda: len(app._notifications) == 1, pause=pilot.pause)
        (shown,) = app._notifications
        assert (shown.markup, "\x1b" in shown.message, "\x07" in shown.title) == (False, False, False)
        assert shown.timeout == app.NOTIFICATION_TIMEOUT
