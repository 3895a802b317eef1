"""Turn texts into vectors: a local model or any OpenAI-compatible endpoint.

Everyone else asks `processing.embeddings.registry.get_embedder()`; the port is
`processing.embeddings.embedder.Embedder`. Only the registry knows Django.
"""
