# The image of web, worker, beat, ingest and the set-up steps. Libraries come from the lock files, with their hashes.
FROM node:22-bookworm-slim AS frontend
WORKDIR /src/web/frontend
COPY web/frontend/package.json web/frontend/package-lock.json web/frontend/.npmrc ./
RUN npm ci --no-progress

FROM python:3.12-slim-bookworm AS build
RUN pip install --no-cache-dir "uv>=0.5" && uv venv /opt/labrelay
ENV VIRTUAL_ENV=/opt/labrelay UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1
WORKDIR /src
COPY requirements.lock ./
RUN uv pip install --no-cache --require-hashes -r requirements.lock
COPY . .
COPY --from=frontend /src/web/frontend/node_modules web/frontend/node_modules
# The whole tree is installed as a package: pages, scripts, translations and migrations go with it.
RUN python scripts/frontend.py --copy \
 && PYTHONPATH=/src /opt/labrelay/bin/python -m web.cli i18n compile \
 && uv pip install --no-cache --no-deps .

FROM python:3.12-slim-bookworm
RUN apt-get update && apt-get install -y --no-install-recommends fonts-wqy-microhei \
 && rm -rf /var/lib/apt/lists/* && useradd --system --uid 10001 --no-create-home labrelay \
 && install -d -o labrelay -m 700 /keys /var/cache/labrelay
COPY --from=build /opt/labrelay /opt/labrelay
ENV PATH=/opt/labrelay/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    NUMBA_CACHE_DIR=/var/cache/labrelay
USER labrelay
WORKDIR /tmp
# The search of routes is compiled here, so that the first plan does not wait for it.
RUN python -m routing.search.warm
EXPOSE 8731
CMD ["labrelay", "web"]
