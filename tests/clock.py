"""A store's clock that a test moves by hand, so that no test sleeps."""

from sqlalchemy import Double, bindparam


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0
        self.sql = bindparam("clock", callable_=lambda: self.now, type_=Double)
