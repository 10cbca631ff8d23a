FROM python:3.12-slim

# The index URL that pytorch.org's selector shows for CPU gives a PyTorch of a few hundred MB; empty: the default
# build, which runs on GPUs and on CPUs.
ARG TORCH_INDEX=""

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PYTHONUNBUFFERED=1

# The one big download has a layer of its own, so that a change of bench's code does not fetch it again.
RUN pip install ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} "torch>=2.9" "torchvision>=0.24"

WORKDIR /src
COPY . .
RUN pip install . && rm -rf /src/*

# A named volume takes its owner from the folder it is first mounted on.
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin bench \
    && install -d -o bench -g bench -m 0700 /var/lib/bench /var/cache/bench
ENV BENCH_HOME=/var/lib/bench \
    BENCH_DATA_DIR=/var/cache/bench \
    HOME=/tmp
USER bench
WORKDIR /tmp

ENTRYPOINT ["bench"]
CMD ["--help"]
