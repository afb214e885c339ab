FROM docker.io/library/python:3.12-slim
RUN apt-get update && apt-get install -y --no-install-recommends libgomp1 libmagic1 && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY requirements/run.txt requirements/
RUN python -m pip install --no-cache-dir --require-hashes --no-deps -r requirements/run.txt
COPY pyproject.toml README.md LICENSE ./
COPY rag rag
COPY ingest ingest
COPY ui ui
COPY evals evals
RUN python -m pip install --no-cache-dir --no-deps --no-build-isolation .
# A fresh volume takes over the rights of this folder: every user may fill it.
RUN useradd --create-home --uid 1000 plumb && mkdir --mode 1777 /models
USER plumb
CMD ["sh", "-c", "plumb models pull --from index && exec plumb ui --no-browser"]
