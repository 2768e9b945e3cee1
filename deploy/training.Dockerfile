# An image with a training program in it, for a first job and as a pattern. From the root of the checkout:
#
#   docker build -f deploy/training.Dockerfile -t traindeck.dev/train:1 .
#   traindeck submit -f examples/job.yaml

FROM python:3.13-slim-bookworm
RUN useradd --create-home --uid 1000 --user-group trainer
WORKDIR /home/trainer
COPY examples/train.py train.py
RUN python -m py_compile train.py && chmod -R a=rX /home/trainer
ENV PYTHONUNBUFFERED=1
USER 1000:1000
CMD ["python", "/home/trainer/train.py"]
