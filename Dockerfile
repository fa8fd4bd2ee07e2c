# The service and its model, without PyTorch. Build: docker build -t softsell .
# Callers need a key; make one, and it is printed once:
#   docker run --rm -v softsell:/var/lib/softsell softsell softsell keys create NAME
# Run: docker run --read-only --tmpfs /tmp -v softsell:/var/lib/softsell -p 8000:8000 softsell
# Without keys, for this machine alone: docker run -p 127.0.0.1:8000:8000 softsell softsell serve --no-auth
FROM python:3.12-slim

ENV PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    HF_HUB_OFFLINE=1 \
    SOFTSELL_DATA_DIR=/var/lib/softsell \
    SOFTSELL_HOST=0.0.0.0 \
    SOFTSELL_PORT=8000

RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin softsell
WORKDIR /srv/softsell

# Dependencies first: they change less often than the code. Editable, so that models/ lies beside app/.
COPY pyproject.toml README.md ./
COPY app/__init__.py app/
RUN pip install --editable .

COPY models/ models/
COPY app/ app/
RUN python -m compileall -q app

# A volume put here takes this owner; without one, what is stored goes with the container.
RUN install -d -o softsell -m 700 /var/lib/softsell

USER 10001
RUN softsell verify
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f\"http://127.0.0.1:{os.environ['SOFTSELL_PORT']}/readyz\", timeout=4)"]
CMD ["softsell", "serve"]
