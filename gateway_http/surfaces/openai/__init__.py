"""OpenAI's REST dialect: one file a resource, each with its handler and its mapping to `trunkline.v1`."""
