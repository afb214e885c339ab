"""How a Qdrant server keeps and searches a collection, as the settings in [store.server] ask for it."""

from __future__ import annotations

from collections.abc import Mapping

from qdrant_client import QdrantClient, models

from rag.sections import Server
from rag.store.protocol import LEXICAL


def create(client: QdrantClient, name: str, vectors: Mapping[str, int], options: Server) -> None:
    """Make a collection with dense `vectors` (name -> dimension) and a lexical one. What is 0 the server decides."""
    client.create_collection(
        name,
        vectors_config={vector: _dense(dimension, options) for vector, dimension in vectors.items()},
        sparse_vectors_config={LEXICAL: _lexical(options)},
        shard_number=options.shard_number or None,
        replication_factor=options.replication_factor or None,
        write_consistency_factor=options.write_consistency_factor or None,
        on_disk_payload=options.payload_on_disk,
        hnsw_config=models.HnswConfigDiff(
            m=options.hnsw_m or None, ef_construct=options.hnsw_ef_construct or None, on_disk=options.hnsw_on_disk
        ),
        quantization_config=_quantization(options),
    )


def search_params(options: Server) -> models.SearchParams | None:
    """How the dense leg searches quantized vectors; None where there are none."""
    if options.quantization == "none":
        return None
    return models.SearchParams(
        quantization=models.QuantizationSearchParams(rescore=options.rescore, oversampling=options.oversampling)
    )


# The `on_disk` of newer servers is called `memory`; this name is understood by all of them.
def _dense(dimension: int, options: Server) -> models.VectorParams:
    return models.VectorParams(size=dimension, distance=models.Distance.COSINE, on_disk=options.vectors_on_disk)


def _lexical(options: Server) -> models.SparseVectorParams:
    index = models.SparseIndexParams(on_disk=options.lexical_on_disk)
    return models.SparseVectorParams(modifier=models.Modifier.IDF, index=index)


def _quantization(options: Server) -> models.ScalarQuantization | models.BinaryQuantization | None:
    match options.quantization:
        case "int8":
            scalar = models.ScalarQuantizationConfig(
                type=models.ScalarType.INT8, quantile=0.99, always_ram=options.quantized_in_ram
            )
            return models.ScalarQuantization(scalar=scalar)
        case "binary":
            return models.BinaryQuantization(
                binary=models.BinaryQuantizationConfig(always_ram=options.quantized_in_ram)
            )
        case "none":
            return None
