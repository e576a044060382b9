"""The HTTP front: OpenAI's REST and SSE, and a REST form of every other RPC. The first customer of the client library."""
