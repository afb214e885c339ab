"""A file in SQuAD's form, 1.1 or 2.0: articles of paragraphs with questions.

Rajpurkar, Jia and Liang, Know What You Don't Know: Unanswerable Questions for SQuAD (2018).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from evals.imports.files import safe_name, told, write_document
from evals.imports.sample import Sample
from rag.case import Case, Split
from rag.errors import InputError
from rag.sentences import sentences

# It is one JSON value, and so it is read as a whole.
MAX_BYTES = 1_000_000_000


class _Answer(BaseModel):
    text: str
    answer_start: int


class _Question(BaseModel):
    model_config = ConfigDict(coerce_numbers_to_str=True)

    id: str = Field(min_length=1)
    question: str
    answers: list[_Answer] = []
    is_impossible: bool = False


class _Paragraph(BaseModel):
    context: str
    qas: list[_Question]


class _Article(BaseModel):
    title: str = ""
    paragraphs: list[_Paragraph]


class _File(BaseModel):
    data: list[_Article]


def squad(file: Path, documents: Path, *, split: Split, sample: Sample) -> Iterator[Case]:
    """Write every paragraph as a document, then tell the cases of its questions, all or a sample of them.

    A gold answer is the fact, in all its wordings, and the sentence that holds the first of them the evidence; a
    question without one is to be declined. Raises InputError, which names the place in the file, and StoreError.
    """
    asked = _asked(_read(file), documents)
    for question, name, context in sample.of(asked):
        wordings = dict.fromkeys(answer.text.strip() for answer in question.answers if answer.text.strip())
        is_answerable = bool(wordings) and not question.is_impossible
        yield Case(
            id=question.id,
            question=question.question.strip(),
            facts=(tuple(wordings),) if is_answerable else (),
            sources=(f"{documents.name}/{name}",) if is_answerable else (),
            evidence=_sentence(question, context) if is_answerable else (),
            answerable=is_answerable,
            tags=(file.stem,),
            split=split,
            # Questions on one paragraph are right or wrong together.
            conversation=name,
            origin="imported",
        )


def _asked(content: _File, documents: Path) -> Iterator[tuple[_Question, str, str]]:
    """Each question with the name and the text of its paragraph, which is written."""
    for number, article in enumerate(content.data):
        title = " ".join(article.title.replace("_", " ").split())
        for at, paragraph in enumerate(article.paragraphs):
            name = f"{safe_name(article.title or str(number))}/{at:03}.md"
            heading = f"# {title}\n\n" if title else ""
            write_document(documents, name, f"{heading}{paragraph.context.strip()}\n")
            yield from ((one, name, paragraph.context) for one in paragraph.qas if one.question.strip())


def _sentence(question: _Question, context: str) -> tuple[str, ...]:
    start = question.answers[0].answer_start
    return tuple(context[a:b] for a, b in sentences(context) if a <= start < b)


def _read(file: Path) -> _File:
    try:
        if file.stat().st_size > MAX_BYTES:
            raise InputError(f"{file} is too large", expected=f"at most {MAX_BYTES:,} bytes", remedy="split it")
        return _File.model_validate_json(file.read_bytes())
    except OSError as error:
        raise InputError(
            f"can't read {file}: {error.strerror}", expected="a file to import", remedy="check the path"
        ) from None
    except ValidationError as error:
        raise told(error, str(file)) from None
