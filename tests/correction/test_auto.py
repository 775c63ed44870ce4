"""Choosing among corrections."""

from __future__ import annotations

from tpuc.correction import Trial, try_all

SCORES = {"a": 0.5, "b": 0.7, "b1": 0.6, "b2": 0.9}


def test_corrections_start_from_the_best_and_the_best_of_all_wins():
    found = try_all(
        {"kl": "a", "mse": "b"},
        {},
        {"one": lambda c: c + "1", "two": lambda c: c + "2"},
        SCORES.__getitem__,
    )
    assert (found.name, found.best) == ("mse + two", "b2")
    assert found.trials == (
        Trial("kl", 0.5), Trial("mse", 0.7), Trial("mse + one", 0.6), Trial("mse + two", 0.9),
    )  # fmt: skip


def test_a_correction_that_hurts_is_not_kept_and_the_simplest_of_equals_is():
    found = try_all(
        {"kl": "a"}, {}, {"one": lambda c: c, "two": lambda c: "z"}, {"a": 0.5, "z": 0.4}.get
    )
    assert (found.name, found.best) == ("kl", "a")


def test_rewrites_that_help_stay_and_others_do_not():
    scores = {"": 0.5, "e": 0.7, "es": 0.8, "h": 0.2, "eh": 0.3, "esb": 0.75}
    seen = []

    def rewrite(letter):
        def made(start):
            seen.append(start)
            return {"kl": start + letter, "max": "h"}

        return made

    found = try_all(
        {"kl": ""},
        {"even": rewrite("e"), "hurt": rewrite("h"), "nothing": lambda c: {}, "soft": rewrite("s")},
        {"bias": lambda c: c + "b"},
        scores.__getitem__,
    )
    assert seen == ["", "e", "e"]
    assert (found.name, found.best) == ("even + soft + kl", "es")
    assert [t.name for t in found.trials] == [
        "kl", "even + kl", "even + max", "even + hurt + kl", "even + hurt + max",
        "even + soft + kl", "even + soft + max", "even + soft + kl + bias",
    ]  # fmt: skip
