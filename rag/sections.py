"""Tables of plumbline.toml: those that stand in another table, and the larger ones."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
)

from rag.scope import field_value, is_reader

# TOML has no null: an empty string says that a folder is not set.
Folder = Annotated[Path | None, BeforeValidator(lambda value: value or None)]

HeaderName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]+$")]
VariableName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


class Section(BaseModel):
    """A table of plumbline.toml: frozen, and unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Web(Section):
    """How web pages and sitemaps are fetched."""

    allow_private: bool = Field(False, description="also fetch from private and loopback addresses")
    user_agent: str = Field("plumbline-rag", pattern=r"^[!-~]+$", description="the name that sites and robots.txt see")
    delay_s: float = Field(1.0, ge=0, description="shortest time between two requests to a site")
    timeout_s: float = Field(10.0, gt=0, description="longest wait for a connection or for more of a page")
    total_s: float = Field(60.0, gt=0, description="longest time for a page, with all its redirects")
    max_mb: int = Field(20, ge=1, description="larger pages are refused, counted after decompression")
    max_redirects: int = Field(5, ge=0, description="redirects that are followed for a page")
    max_pages: int = Field(1_000, ge=1, description="a sitemap with more pages is refused")
    max_sitemaps: int = Field(50, ge=1, description="a sitemap index that leads to more sitemaps is refused")
    sitemap_depth: int = Field(2, ge=0, description="sitemap indexes above the sitemap that lists a page")
    retries: int = Field(2, ge=0, description="tries after the first where the server is busy or out of reach")
    retry_after_s: float = Field(30.0, ge=0, description="longest wait that a server may ask for before a retry")


class Server(Section):
    """How a Qdrant server keeps a collection.

    The two of searching, `rescore` and `oversampling`, hold at once; the others when a version of the index is made.
    """

    shard_number: int = Field(0, ge=0, description="shards of a collection; 0 leaves it to the server")
    replication_factor: int = Field(0, ge=0, description="copies of each shard; 0 leaves it to the server")
    write_consistency_factor: int = Field(
        0, ge=0, description="copies that must have a write before it counts as done; 0 leaves it to the server"
    )
    vectors_on_disk: bool = Field(False, description="dense vectors on disk, the system's cache in front of them")
    lexical_on_disk: bool = Field(False, description="the index of the words on disk")
    payload_on_disk: bool = Field(True, description="texts and names of the chunks on disk")
    hnsw_on_disk: bool = Field(False, description="the search graph on disk")
    hnsw_m: int = Field(0, ge=0, description="links of a chunk in the search graph; 0 leaves it to the server")
    hnsw_ef_construct: int = Field(0, ge=0, description="care in building the graph; 0 leaves it to the server")
    quantization: Literal["none", "int8", "binary"] = Field(
        "none", description="small copies of the vectors to search in: 'int8' a quarter, 'binary' a 32nd of their size"
    )
    quantized_in_ram: bool = Field(True, description="these copies stay in memory, whatever else is on disk")
    rescore: bool = Field(True, description="what the copies find is scored anew with the full vectors")
    oversampling: float = Field(2.0, ge=1, description="so many times the wanted chunks are scored anew")


class Ray(Section):
    """The cluster of 'plumb ingest --engine ray'."""

    address: str = Field(
        "", description="address of the cluster's head; default: RAY_ADDRESS, else a Ray of its own on this machine"
    )
    timeout_s: float = Field(10.0, gt=0, description="longest wait for the head to take a connection")
    parsers: int = Field(
        0, ge=0, description="most processes that parse and cut; 0 takes the CPUs that embedders leave"
    )
    embedders: int = Field(0, ge=0, description="processes that embed and store; 0 means one a node")


def _readers(names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        if not is_reader(name):
            raise ValueError(f"readers named 'everyone', 'user:NAME' or 'group:NAME', not '{name}'")
    return names


class LabelRule(Section):
    """What documents of some names are labelled with."""

    documents: str = Field(min_length=1, description="pattern of names, such as hr/**")
    readers: tuple[str, ...] | None = Field(
        None, description="who may read them: 'everyone', 'user:NAME', 'group:NAME'; [] for nobody"
    )
    fields: dict[str, Any] = Field(default_factory=dict, description="names and values, to be searched by")

    @field_validator("readers")
    @classmethod
    def _are_readers(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        return value if value is None else _readers(value)

    @field_validator("fields")
    @classmethod
    def _are_fields(cls, value: dict[str, Any]) -> dict[str, Any]:
        return {name: field_value(name, one) for name, one in value.items()}


class Retrieve(Section):
    """How passages are found."""

    depth: int = Field(50, ge=1, description="candidates of each leg before fusion")
    limit: int = Field(20, ge=1, description="hits after fusion")
    outdated_words: tuple[str, ...] = Field(
        ("superseded", "archive", "archived", "obsolete", "outdated", "veraltet", "überholt", "obsolète", "obsoleto"),
        description="a document with one of these words in its path, title or headings is outdated",
    )
    outdated_factor: float = Field(0.5, ge=0, le=1, description="its score is multiplied by this; 1 treats it alike")
    dense_weight: float = Field(
        0.6,
        ge=0,
        le=1,
        description="weight of meaning against words in the fusion, where both find the question equally clear",
    )
    rerank_hits: int = Field(20, ge=1, description="the best hits after fusion, which the reranker reads")
    rerank_weight: float = Field(
        0.4, ge=0, le=1, description="weight of the reranker against the fused score; 1 lets it decide alone"
    )
    expand: Literal["none", "paraphrase", "answer", "parts"] = Field(
        "none",
        description="what the model of roles.rewrite writes to be searched for besides the question: 'paraphrase' other"
        " wordings of it, 'answer' what an answer may look like, 'parts' the questions that it is made of",
    )
    expand_queries: int = Field(2, ge=1, le=10, description="most of these")
    expand_tokens: int = Field(
        120, ge=1, description="longest reply of that model; reasoning models want 2000 and more"
    )
    duplicate_at: float = Field(
        0.9,
        gt=0,
        le=1,
        description="a hit that shares so many of its words with a better one is left out, unless a number, a name or a"
        " negation differs",
    )
    per_document: int = Field(0, ge=0, description="most hits of one document; 0 for any number")
    language: str = Field(
        "english",
        description="language of stemming and stop words of the lexical leg; 'none' takes words as they come. Scripts"
        " without spaces are cut into words in any case",
    )


class Generate(Section):
    """How the answer is written."""

    temperature: float = Field(0.0, ge=0, le=2, description="0 gives the same answer again")
    max_tokens: int = Field(300, ge=1, description="longest answer")
    prompt: str = Field(
        "answer", pattern=r"[\w-]+", description="'answer' suits small models, 'answer-cited' larger ones"
    )
    answerable_at: float = Field(
        0.45,
        ge=0,
        le=1,
        description="a small model first weighs whether the passages hold the answer; below this chance it declines;"
        " 0 does not ask",
    )
    alone_at: float = Field(
        0.6,
        ge=0,
        le=1,
        description="then it is asked whether the sentences that its answer rests on hold it alone; below this chance"
        " the answer is withheld; 0 does not ask, nor does answerable_at = 0",
    )
    strategy: Literal["first", "cascade", "vote"] = Field(
        "first",
        description="of several answer models, 'first': the first that does not fail; 'cascade': the next too, where"
        " the check or the model itself says no; 'vote': all, and the best supported answer wins",
    )
    accept_at: float = Field(
        1.0, ge=0, le=1, description="a cascade takes an answer with this share of supported claims"
    )
    trial_prompt: str = Field("", description="another answer prompt, which takes a share of the questions")
    trial_share: float = Field(
        0, ge=0, le=1, description="its share, by session: a conversation stays with the prompt that it began with"
    )
    prompts_dir: Folder = Field(None, description="folder with own prompt files that replace the shipped ones")


class Cache(Section):
    """Answers that are given again to the same question, without a model: see docs/cache.md."""

    enabled: bool = Field(False, description="keep supported answers, and give them again while all they rest on stays")
    max_age_h: float = Field(168.0, gt=0, description="an older answer is not given again")
    max_answers: int = Field(10_000, ge=1, description="answers that are kept; the oldest go first")


class Ingest(Section):
    """How documents become chunks."""

    chunk_tokens: int = Field(160, ge=32, description="longest chunk, counted with the embedder's tokenizer")
    chunking: Literal["title", "sentence", "semantic", "parent"] = Field(
        "title", description="how documents are cut into chunks; docs/chunking.md compares them"
    )
    parent_tokens: int = Field(
        400, ge=32, validate_default=True, description="longest parent of the chunking 'parent', which the model reads"
    )
    readers: tuple[str, ...] = Field(
        ("everyone",), description="who may read a document that nothing else is said of; [] for nobody"
    )
    labels: tuple[LabelRule, ...] = Field(
        (), description="who may read which documents, and their fields: [[ingest.labels]] tables, see docs/access.md"
    )
    max_labels_kb: int = Field(64, ge=1, description="files with labels that are larger are refused")
    max_file_mb: int = Field(500, ge=1, description="larger files are refused")
    max_unpacked_mb: int = Field(200, ge=1, description="office files and archives that unpack to more are refused")
    max_archive_files: int = Field(10_000, ge=1, description="archives with more files in them are refused")
    max_archive_depth: int = Field(3, ge=1, description="archives and attachments in one another are read so deep")
    max_mail_header_kb: int = Field(
        64, ge=1, description="mails with a longer header are refused: it takes long to read"
    )
    max_pages: int = Field(10_000, ge=1, description="PDFs with more pages are refused")
    max_page_chars: int = Field(500_000, ge=1, description="PDFs with more characters on a page are refused")
    max_ocr_pages: int = Field(500, ge=1, description="documents with more pages to recognise the text of are refused")
    max_image_megapixels: int = Field(50, ge=1, le=170, description="larger pictures are refused")
    password_env: str = Field("PDF_PASSWORDS", description="variable with passwords of encrypted PDFs, one a line")
    workers: int = Field(1, ge=1, description="processes that parse and cut documents beside the embedding")
    parse_timeout_s: float = Field(120.0, gt=0, description="longest time without progress in parsing a document")
    parse_memory_mb: int = Field(2000, ge=100, description="most memory of a process that parses documents")
    price_per_million_tokens: float = Field(0.0, ge=0, description="of a paid embedder, for 'plumb ingest --dry-run'")
    max_cache_mb: int = Field(
        10_000, ge=1, description="vectors kept so that the same text is not embedded again; the oldest go first"
    )
    wait_s: float = Field(3600.0, ge=0, description="longest wait for another run that fills the same index")
    max_chunks: int = Field(1_000_000, ge=1, description="a document of more chunks is refused")
    max_documents: int = Field(100_000, ge=1, description="a place with more documents is refused")
    max_compared_chunks: int = Field(
        1_000_000, ge=0, description="a run compares a larger index with its manifest by the number of chunks only"
    )
    watch_quiet_s: float = Field(1.0, gt=0, le=60, description="while watching, changes are taken after such a pause")
    watch_interval_s: float = Field(
        300.0, gt=0, description="while watching, places are looked at after this time even without a sign of change"
    )
    web: Web = Web()
    ray: Ray = Ray()

    @field_validator("readers")
    @classmethod
    def _are_readers(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return _readers(value)

    @field_validator("parent_tokens")
    @classmethod
    def _is_larger(cls, value: int, info: ValidationInfo) -> int:
        found = info.data.get("chunk_tokens", 0)
        if info.data.get("chunking") == "parent" and value <= found:
            raise ValueError(f"must be more than ingest.chunk_tokens = {found}, which are found")
        return value


class Presidio(Section):
    """Names and the like that Presidio takes out of traces, besides the patterns; off while no model is named."""

    models: dict[Annotated[str, Field(pattern="^[a-z]{2,3}$")], Annotated[str, Field(pattern=r"^[a-z]\w*$")]] = Field(
        default_factory=dict,
        description="language and installed spaCy model that finds names in it, as { en = 'en_core_web_sm' }; of"
        " several each reads every text",
    )
    entities: tuple[Annotated[str, Field(pattern="^[A-Z][A-Z_]*$")], ...] = Field(
        ("PERSON", "LOCATION"), min_length=1, description="what is taken out, by Presidio's names"
    )
    least_score: float = Field(
        0.5, ge=0, le=0.85, description="what it is less sure of stays; what a spaCy model finds always has 0.85"
    )


class Tracing(Section):
    """The local record of every question and ingest run."""

    enabled: bool = Field(True, description="keep traces in <data_dir>/traces.db")
    content: Literal["full", "masked", "none"] = Field(
        "full",
        description="'masked' takes mail addresses, phone, card and account numbers, keys and own patterns out of all"
        " texts, 'none' keeps times and counts, no texts",
    )
    keep_days: float = Field(0, ge=0, description="older traces go, with what was said of them; 0 keeps them for ever")
    max_mb: int = Field(
        5_000, ge=0, description="of a larger file the oldest traces go, rated ones last; 0 is no bound"
    )
    sample: float = Field(
        1.0,
        ge=0,
        le=1,
        description="share of the ordinary answers that is kept and delivered; failed, stopped, declined, doubtful,"
        " slow, expensive and rated ones always are",
    )
    unsampled_hours: float = Field(48.0, gt=0, description="the others can be rated for so long, and then go")
    slow_s: float = Field(30.0, gt=0, description="an answer that took longer is always kept")
    expensive: float = Field(0, ge=0, description="an answer that cost more is always kept; 0: cost does not matter")
    patterns: dict[str, str] = Field(
        default_factory=dict, description="own regular expressions for 'masked': what BADGE finds becomes [BADGE]"
    )
    presidio: Presidio = Presidio()

    @field_validator("presidio")
    @classmethod
    def _is_used(cls, value: Presidio, info: ValidationInfo) -> Presidio:
        if value.models and info.data.get("content") == "full":
            raise ValueError("models are of use with trace.content = 'masked' only")
        return value


class LangfuseServer(Section):
    """Delivery of traces and feedback to a Langfuse server; off while the keys' variables are empty."""

    host: str = Field("https://cloud.langfuse.com", description="address of the server")
    public_key_env: str = Field("LANGFUSE_PUBLIC_KEY", description="variable with the public key")
    secret_key_env: str = Field("LANGFUSE_SECRET_KEY", description="variable with the secret key")
    timeout_s: float = Field(5.0, gt=0, description="longest wait for one delivery")
    prompt_refresh_s: float = Field(60.0, gt=0, description="how often prompts that are kept there are looked for")
    restricted: Literal["none", "full"] = Field(
        "none", description="'none': no texts of a trace with passages that not everyone may read"
    )


class OtlpEndpoint(Section):
    """Delivery of traces to any server that speaks OTLP over HTTP; off without an endpoint."""

    endpoint: str = Field(
        "", description="whole address that traces are posted to, such as http://127.0.0.1:4318/v1/traces"
    )
    headers_env: dict[HeaderName, VariableName] = Field(
        default_factory=dict, description="headers of each request, with the variables that hold their values"
    )
    timeout_s: float = Field(5.0, gt=0, description="longest wait for one delivery")
    restricted: Literal["none", "full"] = Field(
        "none", description="'none': no texts of a trace with passages that not everyone may read"
    )


class Ui(Section):
    """The chat page."""

    host: str = Field("127.0.0.1", description="address the page listens on")
    port: int = Field(8501, ge=1, le=65535, description="port the page listens on")
    title: str = Field("Plumbline", description="title of the page")
    user_header: str = Field("", description="header in which a proxy that you trust names the visitor")
    groups_header: str = Field("", description="header in which it names the visitor's groups, separated by commas")
    reviewers: tuple[str, ...] = Field(
        (),
        description="who sees the pages for reviewing where visitors have names: 'everyone', 'user:NAME',"
        " 'group:NAME'; without names all who reach the page do",
    )
    cases: str = Field(
        "cases.jsonl",
        description="the file of eval cases that the page and `plumb eval cases` add to, from the config's folder",
    )
    examples: list[str] = Field(default_factory=list, description="questions offered as buttons on an empty page")
    upload: bool = Field(
        False, description="visitors may add documents to the index; where visitors have names, those that have one"
    )
    upload_file_mb: int = Field(20, ge=1, description="larger files are refused")
    upload_files: int = Field(10, ge=1, description="most files at once")
    upload_readers: Literal["visitor", "everyone"] = Field(
        "visitor", description="who may read what a visitor with a name adds: that visitor alone, or everyone"
    )


class Job(Section):
    """What 'plumb eval schedule' does again and again: see docs/schedule.md."""

    cron: str = Field(description="when, as five fields of cron in local time: '0 3 * * *' is every night at three")
    dataset: str = Field("", description="questions to ask; the run is put before the gate")
    canaries: str = Field("", description="canaries to ask; the answers are held against those of reference")
    reference: str = Field("oldest", description="the observation that canaries are held against: a name, 'oldest'")
    live: str = Field("", description="hold what people asked since then, as 7d, against as long before")
    repeat: int = Field(1, ge=1, le=20, description="ask each question or canary so often")
    timeout_minutes: float = Field(240.0, gt=0, description="longest time of one of its commands")


class Notify(Section):
    """Who is told when a job's gate fails, drift is seen, or a job breaks or can't tell."""

    always: bool = Field(default=False, description="tell of jobs that found nothing, too")
    webhook_env: str = Field("", description="variable with the address that gets it as JSON with a text")
    mail_to: tuple[str, ...] = Field((), description="addresses that get a mail")
    mail_from: str = Field("plumbline@localhost", description="its sender")
    smtp_host: str = Field("127.0.0.1", description="server that takes mail")
    smtp_port: int = Field(25, ge=1, le=65535, description="its port")
    smtp_tls: bool = Field(default=False, description="speak TLS to it, by STARTTLS")
    smtp_user_env: str = Field("", description="variable with the user's name there, if it wants one")
    smtp_password_env: str = Field("", description="variable with the password")


Margin = Annotated[float, Field(gt=0, le=1)]
Floor = Annotated[float, Field(ge=0, le=1)]


class Gate(Section):
    """When 'plumb eval gate' lets a run pass: see docs/gate.md."""

    baseline: str = Field("main", description="name of the baseline that a run is held against")
    metrics: tuple[str, ...] = Field(
        (), description="metrics that must pass; default: the usual ones for which the run has cases enough"
    )
    margin: Margin = Field(0.05, description="largest loss that is let through, of any metric: 0.05 are 5 points")
    margins: dict[str, Margin] = Field(
        default_factory=dict, description="by metric, where it is another; a metric named here must pass"
    )
    floors: dict[str, Floor] = Field(
        default_factory=dict,
        description="by metric, the least that it must be, whatever the baseline was; the most, where low is good. A"
        " metric named here must pass",
    )
