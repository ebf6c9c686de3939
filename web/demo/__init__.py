"""The simulated network and its day. ``logins`` says who can log in; nothing here runs in a real installation."""

from web.demo.people import DemoLogin, logins

__all__ = ["DemoLogin", "logins"]
