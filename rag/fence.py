"""Text from documents, users and models as quoted text: it can neither end its quotation nor speak as the chat itself.

Every line of a passage begins with '> ', as in a mail: what a document says never begins a line of the prompt, so it
can't look like the next passage, the question, or a word of ours. A delimiter could be forged, a line can't.

Most servers write a chat as one text and read the names of control tokens in it, such as <|im_end|>, as these tokens,
wherever they stand (llama.cpp, vLLM and Ollama do): a document that holds them could end its message and begin one of
the system. A space keeps them words.
"""

from __future__ import annotations

import re

QUOTE = "> "
# <|im_start|>, <|eot_id|>, <|channel> and <channel|>, DeepSeek's with wide bars; Llama 2 and Mistral, Gemma, Qwen,
# Cohere; beginnings, ends and fillers of the tokenizers.
_ANGLED = (
    r"s|bos|eos|unk|pad|mask|sep|cls|start_of_turn|end_of_turn|start_of_image|end_of_image|image_soft_token"
    r"|think|tool_calls?|tool_responses?|tools|BOS_TOKEN|EOS_TOKEN|PAD_TOKEN"
)
_SQUARE = (
    r"INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS|TOOL_CONTENT|ARGS|THINK|IMG|gMASK|sop|CLS|SEP|MASK"
)
_CONTROL = re.compile(rf"<(?=[|｜]\w)|(?<=\w[|｜])(?=>)|<(?=/?(?:{_ANGLED})>)|\[(?=/?(?:{_SQUARE})\])|<(?=</?SYS>>)")


def quoted(text: str) -> str:
    """The text with every line marked as quoted, whatever its line breaks are."""
    return "\n".join(f"{QUOTE}{line}" for line in text.splitlines())


def on_a_line(text: str) -> str:
    """The text as one line, for what stands behind a word of ours."""
    return " ".join(text.split())


def inert(text: str) -> str:
    """The text with a space in what a server could take for a control token: '< |im_end| >'."""
    return _CONTROL.sub(r"\g<0> ", text)
