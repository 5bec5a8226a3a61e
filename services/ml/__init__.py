"""The ml service: embeddings of images and texts, and ranking."""
