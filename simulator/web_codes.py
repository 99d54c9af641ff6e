"""The codes that a mini program's own side obtains, for tests that play that side."""

import secrets

from simulator.world import Code, World

CODE_SECONDS = 300


def login_code(world: World, openid: str) -> str:
    """A login code: once, five minutes."""
    return _code(world, openid, "login")


def phone_code(world: World, openid: str, number: str) -> str:
    """A phone-number code, which is not the login code."""
    return _code(world, openid, f"phone:{number}")


def _code(world: World, openid: str, scope: str) -> str:
    world.mini_people.meet(openid)
    code = secrets.token_hex(16)
    world.codes[code] = Code(openid, world.mini.app_id, scope, world.now() + CODE_SECONDS)
    return code
