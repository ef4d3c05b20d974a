"""Waits between guesses of passwords, with a simulated clock."""

from __future__ import annotations

from streamer.accounts.throttle import ADDRESS, BOTH, FORGOTTEN_S, MOST_COUNTS, USER, Throttle, network_of


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def guesses(throttle: Throttle, clock: Clock, count: int, name: str = "anna", address: str = "192.0.2.1") -> float:
    """How long so many failed attempts take, each made as early as possible."""
    began_s = clock.now_s
    for _ in range(count):
        while (wait_s := throttle.begin(name, address)) > 0:
            clock.now_s += wait_s
    return clock.now_s - began_s


def test_the_first_mistakes_cost_nothing_and_waits_double() -> None:
    clock = Clock()
    throttle = Throttle(clock)
    assert guesses(throttle, clock, BOTH.free) == 0
    waits = [guesses(throttle, clock, 1) for _ in range(5)]
    assert waits == [1, 2, 4, 8, 16]


def test_a_guesser_gets_few_guesses_a_day() -> None:
    clock = Clock()
    throttle = Throttle(clock)
    assert guesses(throttle, clock, 300) > 80_000


def test_attempts_side_by_side_get_no_more_guesses() -> None:
    throttle = Throttle(Clock())
    begun = [throttle.begin("anna", "192.0.2.1") for _ in range(100)]
    assert begun.count(0) == BOTH.free


def test_the_right_password_clears_the_count() -> None:
    clock = Clock()
    throttle = Throttle(clock)
    guesses(throttle, clock, BOTH.free)
    guesses(throttle, clock, 1)
    throttle.succeed("anna", "192.0.2.1")
    assert guesses(throttle, clock, BOTH.free) == 0


def test_guesses_from_elsewhere_lock_nobody_out_for_long() -> None:
    clock = Clock()
    throttle = Throttle(clock)
    for number in range(1000):
        throttle.begin("anna", f"198.51.{number // 250}.{number % 250}")
        clock.now_s += 1
    assert throttle.begin("anna", "192.0.2.1") <= USER.longest_s


def test_many_names_from_one_address_are_slowed_down() -> None:
    clock = Clock()
    throttle = Throttle(clock)
    begun = [throttle.begin(f"user{number}", "192.0.2.1") for number in range(100)]
    assert begun.count(0) == ADDRESS.free
    assert throttle.begin("user200", "192.0.2.2") == 0


def test_failures_are_forgotten() -> None:
    clock = Clock()
    throttle = Throttle(clock)
    guesses(throttle, clock, 12)
    clock.now_s += FORGOTTEN_S + 1
    assert guesses(throttle, clock, BOTH.free) == 0


def test_memory_is_bounded() -> None:
    clock = Clock()
    throttle = Throttle(clock)
    for number in range(MOST_COUNTS):
        throttle.begin(f"user{number}", f"2001:db8:{number:x}::1")
    assert len(throttle._counts) <= MOST_COUNTS


def test_a_client_has_all_addresses_of_its_network() -> None:
    assert network_of("2001:db8::1") == network_of("2001:db8::ffff:2") == "2001:db8::/64"
    assert network_of("::ffff:192.0.2.1") == network_of("192.0.2.1") == "192.0.2.1"
    assert network_of("fe80::1%eth0") == "fe80::/64"
    assert network_of("") == ""
