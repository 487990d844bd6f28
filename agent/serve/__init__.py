"""The edges that frameworks ask for: HTTP today. They translate types and errors and decide nothing."""

from agent.serve.http_api import create_api

__all__ = ["create_api"]
