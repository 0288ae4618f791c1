FROM python:3.11-slim AS build
WORKDIR /src
COPY setup.py pyproject.toml requirements.txt README.md LICENSE ./
COPY boomerang boomerang
COPY twisted twisted
RUN python -m venv /opt/boomerang \
    && /opt/boomerang/bin/pip install --no-cache-dir -r requirements.txt \
    && /opt/boomerang/bin/twistd --help > /src/plugins.txt

FROM python:3.11-slim
COPY --from=build /opt/boomerang /opt/boomerang
RUN useradd --system --uid 10001 --no-create-home boomerang \
    && install --directory --owner=boomerang /var/lib/boomerang
USER 10001
WORKDIR /var/lib/boomerang
VOLUME /var/lib/boomerang
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s CMD ["/opt/boomerang/bin/python", "-c", \
    "import os, urllib.request as r; r.urlopen('http://127.0.0.1:%s/health' % os.environ.get('PORT', '8080'), timeout=4)"]
ENTRYPOINT ["/opt/boomerang/bin/twistd", "-n", "--pidfile=", "boomerang"]
