"""The agent: the news comes in, the answers go out."""
