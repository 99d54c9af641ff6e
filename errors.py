"""The tree of things that go wrong on purpose. Each carries one sentence for the person who caused it."""

from __future__ import annotations


class AssistantError(Exception):
    """Base of everything we raise knowingly. `str(error)` is the Chinese sentence people read.

    `about` names the field it is about, where one is: a form says it there.
    """

    about: str = ""


class ConfigurationError(AssistantError):
    """The configuration cannot be used; the sentence names the key, what is wrong, and an example."""


class NotFound(AssistantError):
    """What was asked for does not exist, or not for this person (outside a scope means not there)."""


class RuleBroken(AssistantError):
    """The request is understood and a rule of the organisation forbids it."""


class Misunderstood(AssistantError):
    """What a person typed cannot be read; the sentence says what would be understood."""
