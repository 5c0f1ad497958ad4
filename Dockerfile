# Serves the folder of a run over HTTP:
#
#     docker build -t lgmrec .
#     docker run -p 8000:8000 -v $PWD/run:/srv/run:ro lgmrec
#
# `--build-arg PIP_INDEX_URL=...` takes packages from elsewhere, such as PyTorch for CPUs
# only, which is much smaller.
FROM python:3.12-slim AS build
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
RUN apt-get update && apt-get install -y --no-install-recommends g++
COPY . /source
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels /source

FROM python:3.12-slim
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
RUN pip install --no-cache-dir "torch==2.13.0"
COPY --from=build /wheels /wheels
RUN pip install --no-cache-dir "$(echo /wheels/*.whl)[serve,ann,cli,report]" && useradd serve
USER serve
EXPOSE 8000
HEALTHCHECK CMD ["python", "-c", "import urllib.request as x; x.urlopen('http://127.0.0.1:8000/health')"]
ENTRYPOINT ["lgmrec", "serve"]
CMD ["/srv/run", "--host", "0.0.0.0"]
