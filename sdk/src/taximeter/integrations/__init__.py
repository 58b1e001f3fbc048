"""Recording through the libraries an agent already uses.

Each module imports its library when it is used and not before; `taximeter[openai]`, `taximeter[anthropic]`,
`taximeter[langchain]` and `taximeter[opentelemetry]` install them.
"""
