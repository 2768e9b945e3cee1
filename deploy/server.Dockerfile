# The server. From the root of the checkout:
#
#   docker build -f deploy/server.Dockerfile -t traindeck-server:0.1.0 .
#   docker run --read-only --tmpfs /tmp -v traindeck:/var/lib/traindeck -v /etc/traindeck/tls:/tls:ro \
#     -e TRAINDECK_SERVER_TLS_CERT=/tls/tls.crt -e TRAINDECK_SERVER_TLS_KEY=/tls/tls.key \
#     -p 8642:8642 traindeck-server:0.1.0
#
# Behind a proxy that speaks TLS, TRAINDECK_SERVER_BEHIND_PROXY=true stands in for the certificate and its key.

FROM python:3.13-slim-bookworm AS build
WORKDIR /src
RUN python -m venv --without-pip /opt/traindeck
COPY deploy/requirements.lock ./
RUN pip --python /opt/traindeck/bin/python install --no-cache-dir --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY backend backend
COPY backend_client backend_client
COPY examples examples
COPY tui tui
RUN pip --python /opt/traindeck/bin/python install --no-cache-dir --no-deps --no-build-isolation . \
    && /opt/traindeck/bin/python -m compileall -q /opt/traindeck

FROM python:3.13-slim-bookworm
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /var/lib/traindeck --shell /usr/sbin/nologin traindeck \
    && install -d -o traindeck -g traindeck -m 0700 /var/lib/traindeck
COPY --from=build /opt/traindeck /opt/traindeck
COPY deploy/healthy.py /opt/traindeck/healthy.py
ENV PATH=/opt/traindeck/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    TRAINDECK_SERVER_FOLDER=/var/lib/traindeck \
    TRAINDECK_SERVER_LISTEN=0.0.0.0:8642
VOLUME /var/lib/traindeck
EXPOSE 8642
USER 10001:10001
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s CMD ["python", "/opt/traindeck/healthy.py"]
CMD ["traindeck", "serve"]
