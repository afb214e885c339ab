"""Whether a model changed underneath us: fixed prompts asked again and again, and what of their answers differs."""
