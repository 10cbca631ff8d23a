"""`bench down`: stop the embedded broker."""

from cli import _options as options


def down() -> None:
    """Stop the embedded broker.

    What is queued stays in the store and is sent again by the next command.
    """
    from scheduler.broker import stop_broker

    here = options.settings()
    if not here.embedded_broker:
        options.say("BENCH_BROKER_URL names a broker that bench did not start; it is left alone.")
    elif stop_broker(here):
        options.say("The embedded broker has stopped.")
    else:
        options.say("No embedded broker was running.")
