"""Three invented days of news, served on loopback: what Tidings does, seen without a network."""

from agent.demo.newsroom import DemoNewsroom
from agent.demo.questions import QUESTIONS, DemoQuestion

__all__ = ["QUESTIONS", "DemoNewsroom", "DemoQuestion"]
